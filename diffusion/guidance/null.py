"""The null condition: what training puts in the place of a dropped label, and guidance leaves.

Class 0, or zeros in the shape of the condition. A guidance that asks for it drops labels in
training with `drop`, and asks for both predictions in one call of the network with `both`.
"""

from typing import Any

import torch
from torch import Tensor

from .. import tree
from ..base import Batch, Predict
from ..tree import State
from .parts import outputs


def null(y: State) -> State:
    """The null condition in the shape of `y`."""
    return tree.map(torch.zeros_like, y)


def drop(batch: Batch[Any], share: float) -> None:
    """Replace the conditions of a share of the samples, each drawn for itself, on a copy."""
    lost = torch.rand(tree.size(batch.y)) < share

    def one(y: Tensor) -> Tensor:
        return torch.where(tree.rows(lost.to(y.device), y), torch.zeros_like(y), y)

    batch.y = tree.map(one, batch.y)


def both(predict: Predict, z: State, y: State, t: Any) -> tuple[State, State]:
    """The predictions with `y` and with the null condition, from one call."""
    size = tree.size(z)
    hat = predict(tree.cat([z, z]), tree.cat([y, null(y)]), repeated(t, 2))
    return outputs(lambda one: one[:, :size], hat), outputs(lambda one: one[:, size:], hat)


def repeated(t: Any, count: int) -> Any:
    """The times of `count` copies of a batch."""
    return tree.map(lambda one: torch.cat([one] * count) if isinstance(one, Tensor) else one, t)
