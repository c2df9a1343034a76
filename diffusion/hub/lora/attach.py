"""A LoRA on a network, in place, as long as it is wanted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

from torch import nn

from ...errors import require
from .branch import Branch, add, remove
from .folded import change
from .names import inner
from .update import Update


class Attached:
    """What `Lora.attach` returns: a context; see there.

    At first the updates run beside the layers: that costs the memory of the LoRA, and two thin
    products at each call. `merge` folds them into the weights: no time at each call, and the memory
    of the weights that are changed; the former weights are kept as they are, which for mapped files
    is no memory. `unmerge` and `detach` put those very tensors back. Several on one network add up,
    and come and go in any order.
    """

    def __init__(self, network: nn.Module, updates: Mapping[str, Update], strength: float) -> None:
        require(finite(strength), "Lora.attach.strength", "a finite number", repr(strength))
        network = inner(network)
        self.updates, self.merged = dict(updates), False
        self._key = object()
        self._strength = float(strength)
        self._layers: dict[str, Any] = {path: network.get_submodule(path) for path in updates}
        self._branches: dict[str, Branch] = {}
        self._beside()

    @property
    def strength(self) -> float:
        """The factor of all its updates."""
        return self._strength

    @strength.setter
    def strength(self, value: float) -> None:
        require(finite(value), "Attached.strength", "a finite number", repr(value))
        self._strength = float(value)
        for branch in self._branches.values():
            branch.strength = self._strength
        if self.merged:
            self._fold()

    def merge(self) -> Self:
        """Fold the updates into the weights: W + strength·Δ."""
        if not self.merged:
            self._take_away()
            self._fold()
            self.merged = True
        return self

    def unmerge(self) -> Self:
        """Put the former weights back, bit by bit, and the updates beside them."""
        if self.merged:
            self._unfold()
            self._beside()
        return self

    def detach(self) -> None:
        """Leave the network as it was."""
        if self.merged:
            self._unfold()
        else:
            self._take_away()
        self._layers = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    def __repr__(self) -> str:
        how = "merged" if self.merged else "beside"
        return f"Attached({len(self._layers)} layers, strength={self._strength}, {how})"

    def _beside(self) -> None:
        for path, layer in self._layers.items():
            self._branches[path] = Branch(self.updates[path], layer.weight, self._strength)
            add(layer, self._branches[path])

    def _take_away(self) -> None:
        for path, branch in self._branches.items():
            remove(self._layers[path], branch)
        self._branches = {}

    def _fold(self) -> None:
        for path, layer in self._layers.items():
            change(layer, self._key, (self.updates[path], self._strength))

    def _unfold(self) -> None:
        for layer in self._layers.values():
            change(layer, self._key, None)
        self.merged = False


def finite(value: Any) -> bool:
    """Whether it is a number that weights can be multiplied by."""
    return isinstance(value, (int, float)) and math.isfinite(value)
