"""Write docs/modules.md and docs/blocks-reference.md from the signatures and docstrings.

python docs/generate.py
"""

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from diffusion import base
from diffusion.docstring import heading, prose
from diffusion.folder.registry import KINDS as ALL
from diffusion.folder.registry import library
from diffusion.model import Model
from diffusion.sampling import Options

KINDS = tuple(kind for kind in ALL if kind != "block")
PAGE = Path(__file__).with_name("modules.md")
HEAD = """\
# Modules

Every module of the library, by kind: what it is, its arguments, its formula and its source. This
page is written by `docs/generate.py` from the docstrings. [Concepts](concepts.md) explains the
symbols, [Custom modules](custom-modules.md) how to write a module of each kind. Blocks have
[a page of their own](blocks-reference.md).
"""
TITLES = {
    "train": "Optimizer", "weight": "Weight of losses", "hub": "Foreign networks",
    "hub.net": "Networks of Diffusers", "hub.autoencoder": "Autoencoders of Diffusers",
    "hub.scheduler": "Schedulers of Diffusers",
}  # fmt: skip
CONTRACTS = {
    "data": base.Data, "schedule": base.Schedule, "distribution": base.Distribution,
    "noise": base.Noise, "time": base.Time, "net": base.Net, "loss": base.Loss,
    "guidance": base.Guidance, "sampler": base.Sampler,
}  # fmt: skip
METHODS = ("train", "sample", "stream", "nll", "replace", "diff", "check", "save", "load", "batch")


def page() -> str:
    """The whole page."""
    kinds = {kind: of_kind(kind) for kind in KINDS}
    links = [f"[{title(kind)}](#{anchor(title(kind))})" for kind in kinds]
    parts = [HEAD, " · ".join(["[Model](#model)", *links]), model()]
    parts += [section(kind, classes) for kind, classes in kinds.items()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def of_kind(kind: str) -> dict[str, Any]:
    """The classes of a kind, by name."""
    return {
        name.rpartition(".")[2]: cls
        for name, cls in library().items()
        if name.rpartition(".")[0] == kind and not inspect.isabstract(cls)
    }


def title(kind: str) -> str:
    """The heading of a kind."""
    return TITLES.get(kind, kind.capitalize())


def anchor(heading: str) -> str:
    """The name a forge gives to a heading."""
    return heading.lower().replace(" ", "-")


def model() -> str:
    """The section about `Model`."""
    parts = [f"## Model\n\n### `{heading('Model', Model.__init__)}`", prose(Model)]
    for name in METHODS:
        method = getattr(Model, name)
        parts.append(f"### `{heading(f'model.{name}', method)}`\n\n{prose(method)}")
        if name == "sample":
            parts.append(f"Options:\n\n{prose(Options).partition(chr(10))[2].strip()}")
    return "\n\n".join(parts)


def section(kind: str, classes: dict[str, Any]) -> str:
    """A kind: its contract, the mathematics of its files, its classes."""
    parts = [f"## {title(kind)}"]
    if kind in CONTRACTS:
        parts.append(prose(CONTRACTS[kind]))
    parts += [prose(module) for module in mathematics(classes)]
    for name, cls in classes.items():
        parts.append(f"### `{heading(f'{kind}.{name}', cls)}`\n\n{prose(cls)}")
    return "\n\n".join(parts)


def mathematics(classes: dict[str, Any]) -> list[ModuleType]:
    """The files of some classes, and of their bases, whose docstrings hold formulas."""
    names = dict.fromkeys(
        base.__module__ for cls in classes.values() for base in reversed(cls.__mro__)
        if base.__module__.startswith("diffusion.") and ".base" not in base.__module__
    )  # fmt: skip
    modules = [importlib.import_module(name) for name in names]
    return [one for one in modules if re.search(r"^ {4}\S", one.__doc__ or "", re.MULTILINE)]


if __name__ == "__main__":
    import reference

    for path, text in ((PAGE, page()), (reference.PAGE, reference.page())):
        path.write_text(text, "utf-8")
        print(path)
