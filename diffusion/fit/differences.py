"""What differs between two models, argument by argument."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..base import Data
from ..component import Component, arguments, same
from .modules import MODULES

if TYPE_CHECKING:
    from ..model import Model


def differences(a: Model[Any], b: Model[Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Paths and values that differ between two models."""
    for name in (*MODULES, "ema", "clip", "seed"):
        yield from _compare(name, getattr(a, name), getattr(b, name))


def _compare(path: str, a: Any, b: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    if same(a, b):
        return
    if type(a) is type(b) and isinstance(a, Component):
        ours, theirs = arguments(a), arguments(b)
        for key in {**ours, **theirs}:
            if isinstance(a, Data) and key in ("w", "y"):
                continue
            yield from _compare(f"{path}.{key}", ours.get(key), theirs.get(key))
    else:
        yield path, (a, b)
