"""Gradients with respect to the noisy state, taken while sampling."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from .. import tree
from ..errors import InputError
from ..tree import State


class Slope:
    """Gradients at `point`: a copy of z, or z itself where the caller differentiates through it."""

    def __init__(self, z: Tensor, deep: bool) -> None:
        self.deep = deep
        self.point = z if deep else ordinary(z).detach().requires_grad_()

    def of(self, value: Tensor, weight: Tensor | None = None, at: Tensor | None = None) -> Tensor:
        """The gradient of Σ weight·value; `weight` is 1, and `at` is the point, by default.

        Samples don't mix in `value`, so each sample's gradient is its own.
        """
        total = torch.ones_like(value) if weight is None else weight
        (found,) = torch.autograd.grad(
            value, self.point if at is None else at, total, retain_graph=True,
            create_graph=self.deep,
        )  # fmt: skip
        return found

    def result(self, value: Tensor) -> Tensor:
        """`value` as it is handed on: with its graph only if the caller asked for gradients."""
        return value if self.deep else value.detach()


@contextmanager
def slope(z: Tensor) -> Iterator[Any]:
    """Gradients are recorded inside, whatever holds outside: `torch.inference_mode` too."""
    deep = torch.is_grad_enabled() and z.requires_grad
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield Slope(z, deep)
    except RuntimeError as error:
        if "nference tensor" not in str(error):
            raise
        raise InputError(
            "guidance by gradients: a tensor that the network holds, or makes of the times, was "
            "created in torch.inference_mode, and gradients can't pass it. Sample under "
            "torch.no_grad() instead; sampling keeps no gradients by itself."
        ) from error


def ordinary(state: State) -> State:
    """`state`, with copies of what was created in `torch.inference_mode`, to be used outside it."""

    def one(leaf: Any) -> Any:
        return leaf.clone() if isinstance(leaf, Tensor) and leaf.is_inference() else leaf

    return tree.map(one, state)
