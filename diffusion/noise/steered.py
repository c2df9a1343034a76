"""A bound noise under which a function may change the state after every step of a sampler."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..rng import Rng
from .fixed import Fixed

Steer = Callable[[Tensor, Any], Tensor]
"""`steer(z, t) -> z`: the state that goes on from the time t."""


class Steered(Fixed):
    """`noise` (or known positions over it), with every state handed to `steer`.

    Samplers that keep known positions in place let states be changed by the same hook.
    """

    def __init__(self, noise: Any, steer: Steer) -> None:
        self.fixed = noise if isinstance(noise, Fixed) else None
        self.inner = noise.inner if isinstance(noise, Fixed) else noise
        self.steer = steer
        if self.fixed is not None:
            self.x, self.kept = self.fixed.x, self.fixed.kept

    def vary(self, **changes: Any) -> "Steered":
        inner = self.inner.vary(**changes)
        fixed = self.fixed
        return Steered(inner if fixed is None else Fixed(inner, fixed.x, fixed.kept), self.steer)

    def keep(self, z: Tensor, t: Any, rng: Rng) -> Tensor:
        """The state at t: known positions in place, then as `steer` says."""
        return self.steer(z if self.fixed is None else self.fixed.keep(z, t, rng), t)
