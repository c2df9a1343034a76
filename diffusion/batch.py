"""What a loss sees of one training step."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any, Generic

from torch import Tensor

from .base.distribution import D_co
from .base.loss import Loss
from .tree import State


class Batch(Generic[D_co]):
    """One training batch: `w x y t z epsilon hat`, and `q` and `p`, computed only when read.

    `q` is the true posterior q(x_{t-1} | x_t, x_0), `p` the model's p(x_{t-1} | x_t). At t = 1
    both keep a small variance (t = 0 is held half a step away from the data), so that likelihood
    losses and their gradients are finite. `importance` are the weights of the drawn times, `noise`
    the bound process, `data` the transform, `loss` the whole loss this batch is for; `log` and
    `samples` collect the value of each of its terms, averaged and sample by sample.
    """

    w: Tensor
    x: Tensor
    y: Tensor
    t: Tensor
    z: Tensor
    epsilon: Tensor
    hat: Tensor

    def __init__(
        self, noise: Any, data: Any = None, loss: Loss[Any] | None = None, **states: State
    ):
        self.noise = noise
        self.data = data
        self.loss = loss
        self.importance: Tensor | None = None
        self.log: dict[str, Tensor] = {}
        self.samples: dict[int, Tensor] = {}
        for name, state in states.items():
            setattr(self, name, state)

    @cached_property
    def q(self) -> D_co:
        """q(x_{t-1} | x_t, x_0)."""
        result: D_co = self.noise.posterior(self.x, self.z, self.t)
        return result

    @cached_property
    def p(self) -> D_co:
        """p(x_{t-1} | x_t)."""
        result: D_co = self.noise.approximate(self.z, self.t, self.hat)
        return result

    def part(self, key: str) -> Batch[Any]:
        """The batch of one modality of a joint state."""
        one: Batch[Any] = copy.copy(self)
        one.__dict__ = {k: v for k, v in self.__dict__.items() if k not in ("q", "p")}
        one.noise = self.noise[key]
        for name in ("w", "x", "z", "epsilon", "hat", "t"):
            state = getattr(self, name)
            setattr(one, name, state[key] if isinstance(state, dict) else state)
        return one
