"""docs/modules.md and docs/blocks-reference.md are what `docs/generate.py` writes."""

import importlib.util
from typing import Any

import pytest

from .blocks import ROOT


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["generate", "reference"])
def test_the_catalogue_is_up_to_date(name: str) -> None:
    made = script(name)
    fix = "docstrings or signatures changed: run `python docs/generate.py`"
    assert made.PAGE.read_text("utf-8") == made.page(), fix


def test_every_module_is_in_it() -> None:
    generate = script("generate")
    page = generate.page()
    missing = [name for kind in generate.KINDS for name in generate.of_kind(kind)
               if f"`{kind}.{name}(" not in page]  # fmt: skip
    assert not missing


def test_every_block_is_in_its_group() -> None:
    reference = script("reference")
    groups = {name: reference.group_of(one) for name, one in reference.public()}
    assert set(groups.values()) == set(reference.GROUPS)
    wanted = {
        "Pipeline": "Composition", "Denoise": "Around the sampling", "Read": "Around the sampling",
        "Hold": "Between the steps", "Inpaint": "Tasks", "scheduled": "For tasks of your own",
    }  # fmt: skip
    assert {name: groups[name] for name in wanted} == wanted
    page = reference.PAGE.read_text("utf-8")
    for name in groups:
        assert f"\n### `{name}(" in page
    assert "| `label` | `str \\| int \\| Sequence[str \\| int]` |  | must be given |" in page
    assert "  denoise: Denoise(Denoiser, " in page
