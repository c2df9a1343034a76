"""docs/modules.md is what `docs/generate.py` writes."""

import importlib.util
from typing import Any

from .blocks import ROOT


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_catalogue_is_up_to_date() -> None:
    generate = generator()
    fix = "docstrings or signatures changed: run `python docs/generate.py`"
    assert generate.PAGE.read_text("utf-8") == generate.page(), fix


def test_every_module_is_in_it() -> None:
    generate = generator()
    page = generate.page()
    missing = [name for kind in generate.KINDS for name in generate.of_kind(kind)
               if f"`{kind}.{name}(" not in page]  # fmt: skip
    assert not missing
