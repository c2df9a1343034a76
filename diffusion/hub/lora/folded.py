"""Updates in a layer's weight, which is kept as it was."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .update import Update, fold

FOLDED = "_folded"
"""The attribute of a layer that holds its `Folded`."""


class Folded:
    """A layer's weight as it was, and what was folded into it since, by whom."""

    def __init__(self, base: nn.Parameter) -> None:
        self.base = base
        self.changes: dict[object, tuple[Update, float]] = {}

    def weight(self) -> nn.Parameter:
        """The weight with all changes."""
        return nn.Parameter(fold(self.base, self.changes.values()), self.base.requires_grad)

    def former(self, now: Tensor) -> nn.Parameter:
        """The weight without changes: itself, or moved to where the network has gone since."""
        if (now.device, now.dtype) == (self.base.device, self.base.dtype):
            return self.base
        return nn.Parameter(self.base.detach().to(now), self.base.requires_grad)


def change(layer: Any, key: object, by: tuple[Update, float] | None) -> None:
    """Fold an update into a layer's weight in place of the key's former one; None takes it out."""
    folded: Folded = layer.__dict__.setdefault(FOLDED, Folded(layer.weight))
    if by is None:
        del folded.changes[key]
    else:
        folded.changes[key] = by
    if folded.changes:
        layer.weight = folded.weight()
    else:
        layer.weight = folded.former(layer.weight)
        delattr(layer, FOLDED)


def base(layer: Any) -> Tensor:
    """A layer's weight without updates."""
    folded: Folded | None = layer.__dict__.get(FOLDED)
    weight: Tensor = layer.weight
    return weight if folded is None else folded.former(weight)
