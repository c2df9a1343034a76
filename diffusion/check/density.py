r"""A distribution by its draws and by its density, element by element.

The density is exp(-nll) on a grid (on all classes, for ids and one-hots), integrated by the
trapezoidal rule. The grid is that of a hyperbolic sine, so that heavy tails have points too.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..component import arguments

DRAWS = 1500
POINTS = 1500


@dataclass
class Case:
    """A distribution and many draws of it, `[n, b, ...]`."""

    law: Any
    draws: Tensor
    noise: Any

    @property
    def value(self) -> Tensor:
        return self.draws[0]

    @property
    def ids(self) -> bool:
        """Whether values are class ids."""
        return not self.value.is_floating_point()

    @property
    def onehot(self) -> bool:
        """Whether values are one-hot vectors."""
        if self.ids or self.value.dim() < 2 or self.value.shape[-1] < 2:
            return False
        return bool(
            ((self.draws == 0) | (self.draws == 1)).all() and (self.draws.sum(-1) == 1).all()
        )

    @property
    def constant(self) -> bool:
        """Whether it is a point mass."""
        return bool((self.draws == self.draws[:1]).all())

    @cached_property
    def support(self) -> Tensor:
        """Values on which each element is enumerated or integrated, `[k, b, ...]`."""
        if self.onehot:
            k = self.value.shape[-1]
            return torch.eye(k).reshape(k, *(1,) * (self.value.dim() - 1), k).to(self.value).expand(
                k, *self.value.shape
            )  # fmt: skip
        if self.ids:
            shape = (-1, *(1,) * self.value.dim())
            return torch.arange(int(self.classes)).reshape(shape).expand(-1, *self.value.shape)
        middle, spread = self.draws.median(0).values, self.draws.std(0) + 1e-12
        reach = torch.linspace(-9.0, 9.0, POINTS).sinh().to(middle) / 9.0
        return middle + spread * reach.reshape(-1, *(1,) * middle.dim())

    @property
    def classes(self) -> int:
        shapes: list[int] = [
            v.shape[-1] for v in arguments(self.law).values() if _wide(v, self.value)
        ]
        return max([*shapes, int(self.draws.max()) + 1])

    @cached_property
    def logp(self) -> Tensor:
        """log p on the support, `[k, b, ...]`."""
        return self.log_density(self.law)

    def log_density(self, law: Any) -> Tensor:
        """log p of a law on this one's support; a class that can't be asked for has none."""
        return torch.stack([-law.nll(point).detach() for point in self.support]).double()

    def integral(self, values: Tensor) -> Tensor:
        """Sum or integral over the support, element by element."""
        if self.ids or self.onehot:
            return values.sum(0)
        return torch.trapezoid(values, self.support.double(), dim=0)

    @property
    def other(self) -> Any:
        """Another law of the family: its parameters in another order along the batch."""
        flipped = {
            key: value.flip(0) if key in self.tensors and value.dim() else value
            for key, value in arguments(self.law).items()
        }
        return type(self.law)(**flipped)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The floating parameters."""
        found = arguments(self.law).items()
        return {k: v for k, v in found if isinstance(v, Tensor) and v.is_floating_point()}


def _wide(value: Any, like: Tensor) -> bool:
    return isinstance(value, Tensor) and value.dim() == like.dim() + 1
