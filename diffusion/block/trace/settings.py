"""The settings of every component of a block, and what it all ran on."""

from __future__ import annotations

import platform
from typing import Any

import torch
from torch import Tensor, nn

from ... import __version__
from ...component import Component, arguments
from ...model import Model
from ..base import Block
from ..wired import Wired
from .listen import MODULES

Settings = dict[str, Any]
Models = dict[int, Settings]


def about() -> dict[str, str]:
    """The versions of what ran."""
    return {"library": __version__, "torch": torch.__version__, "python": platform.python_version(),
            "machine": platform.platform()}  # fmt: skip


def unwired(block: Block) -> Block:
    """A block without what binds and renames it."""
    return unwired(block.block) if isinstance(block, Wired) else block


def settings(block: Block, models: Models | None = None) -> Settings:
    """The arguments of a block's components by dotted path; inner blocks have their own.

    Of a block that is bound or renamed, both are there.

    Args:
        models: what is known of models already, by their `id`, and is added to.
    """
    models = {} if models is None else models
    found: Settings = settings(block.block, models) if isinstance(block, Wired) else {}
    inner = block.children().values()
    for name, value in arguments(block).items():
        if name != "each" and not any(value is one for one in inner):
            _collect(name, value, found, models)
    return found


def _collect(path: str, value: Any, found: Settings, models: Models) -> None:
    if isinstance(value, Model):
        own = models.get(id(value))
        if own is None:
            own = models[id(value)] = {}
            for name in MODULES:
                _collect(name, getattr(value, name), own, models)
        found |= {f"{path}.{key}": one for key, one in own.items()}
    elif isinstance(value, Component):
        found[path] = f"{type(value).__name__} (version {type(value).version})"
        for name, one in arguments(value).items():
            if name not in ("w", "y") or not hasattr(value, "decode"):  # not the items of data
                _collect(f"{path}.{name}", one, found, models)
    elif isinstance(value, nn.Module):
        count = sum(weight.numel() for weight in value.parameters())
        found[path] = f"{type(value).__name__}, {count} weights"
    elif isinstance(value, Tensor) or hasattr(value, "__array__"):
        found[path] = f"{type(value).__name__} {list(value.shape)}"
    elif isinstance(value, dict):
        for name, one in value.items():
            _collect(f"{path}.{name}", one, found, models)
    elif callable(value) and hasattr(value, "__qualname__"):
        found[path] = value.__qualname__
    else:
        found[path] = value if isinstance(value, (bool, int, float, str)) else f"{value!r:.200}"
