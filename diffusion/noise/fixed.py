"""A bound noise under which some positions are known and stay known while sampling."""

from typing import Any, Self

import torch
from torch import Tensor

from ..base import Distribution
from ..distribution.draw import draw
from ..rng import Rng


class Fixed:
    """`noise`, but after every step the positions of `mask` hold `x`, noised to that time.

    For absorbing noise known tokens are simply unmasked, which makes the rest exactly conditional;
    for Gaussian noise this is the replacement of Lugmayr et al. 2022 (RePaint) without resampling.
    """

    def __init__(self, noise: Any, x: Tensor, mask: Tensor) -> None:
        self.inner, self.x, self.kept = noise, x, mask

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["inner"], name)

    def vary(self, **changes: Any) -> "Fixed":
        """The same positions over a changed noise."""
        return Fixed(self.inner.vary(**changes), self.x, self.kept)

    def keep(self, z: Tensor, t: Any, rng: Rng) -> Tensor:
        """`z` with the known positions put in place."""
        return torch.where(self.kept, self.inner.known(self.x, t, rng), z)

    def step(self, z: Tensor, t: Any, s: Any, hat: Tensor) -> "Kept":
        return Kept(self, self.inner.step(z, t, s, hat), s)


class Kept(Distribution):
    """The law of a step, with known positions put in place."""

    fixed: Any
    step: Distribution
    s: Any

    def sample(self, rng: Rng = None) -> tuple[Tensor, None]:
        return self.fixed.keep(draw(self.step, rng)[0], self.s, rng), None

    def nll(self, x: Tensor) -> Tensor:
        """Of the free positions."""
        return self.step.nll(x).masked_fill(self.fixed.kept, 0.0)

    def dkl(self, other: Self) -> Tensor:
        """Of the free positions."""
        return self.step.dkl(other.step).masked_fill(self.fixed.kept, 0.0)
