"""Names of component classes in files, and back. Files never name import paths.

Library classes are `kind.Class`, from the catalogues of the kinds' packages. Installed packages
offer theirs through the entry-point group `diffusion.components`. Any other class is
`custom.Class`, and is found only if the caller passes it.
"""

import functools
import importlib
from collections.abc import Iterable
from typing import Any

from torch import nn

from ..component import Component
from ..errors import FileError, suggest

KINDS = (
    "data", "schedule", "distribution", "noise", "time", "net", "loss", "guidance", "sampler",
    "grid", "train", "weight", "distil", "hub", "hub.net", "hub.autoencoder", "hub.scheduler",
    "block",
)  # fmt: skip

PLAIN: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    f"torch.{cls.__name__}": (cls, names)
    for cls, names in {
        nn.Softmax: ("dim",), nn.LogSoftmax: ("dim",), nn.Tanh: (), nn.Sigmoid: (), nn.ReLU: (),
        nn.SiLU: (), nn.Identity: (), nn.Softplus: ("beta", "threshold"),
        nn.GELU: ("approximate",), nn.Hardtanh: ("min_val", "max_val"),
    }.items()
}  # fmt: skip
"""Modules of torch without weights, and the attributes they are made from."""


@functools.cache
def library() -> dict[str, type]:
    """Every component class of the library, by id."""
    found: dict[str, type] = {}
    for kind in KINDS:
        module = importlib.import_module(f"diffusion.{kind}")
        names = getattr(module, "__all__", None) or vars(module)
        for name in names:
            value = getattr(module, name)
            if isinstance(value, type) and issubclass(value, Component):
                found[f"{kind}.{name}"] = value
    return found


@functools.cache
def _installed() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group="diffusion.components")}


def name_of(cls: type) -> str:
    """The id a class has in files."""
    for name, known in library().items():
        if known is cls:
            return name
    for name, point in _installed().items():
        if point.value == f"{cls.__module__}:{cls.__qualname__}":
            return name
    return f"custom.{cls.__name__}"


def find(name: str, custom: Iterable[type] = (), where: str = "") -> type:
    """The class an id stands for. Errors: an unknown id, with the nearest known one."""
    mine = {f"custom.{cls.__name__}": cls for cls in custom}
    if name in mine:
        return mine[name]
    if name in library():
        return library()[name]
    if name in _installed():
        loaded: type = _installed()[name].load()
        return loaded
    if name.startswith("custom."):
        raise FileError(
            f"{where}: {name!r} is a class of the author's own; pass it: "
            f"Model.load(folder, custom=[{name.split('.', 1)[1]}])."
        )
    raise FileError(f"{where}: no module is called {name!r}.{suggest(name, library())}")
