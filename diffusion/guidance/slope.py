"""Gradients with respect to the noisy state, taken while sampling."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


class Slope:
    """Gradients at `point`: a copy of z, or z itself where the caller differentiates through it."""

    def __init__(self, z: Tensor) -> None:
        self.deep = torch.is_grad_enabled() and z.requires_grad
        self.point = z if self.deep else z.detach().requires_grad_()

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
    """Gradients are recorded inside, whatever holds outside."""
    found = Slope(z)
    with torch.enable_grad():
        yield found
