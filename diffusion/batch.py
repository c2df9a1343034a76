"""What a loss sees of one training step."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic

from torch import Tensor

from .base.distribution import D_co
from .base.loss import Loss
from .base.net import Net
from .errors import InputError
from .tree import State


class Batch(Generic[D_co]):
    """One training batch: `w x y t z epsilon`, and `hat`, `q` and `p`, computed only when read.

    `hat` is the network's answer for `z` at `t`; `predict` asks it again, for other states and
    times. `step` counts the optimiser's steps before this one.
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

    def __init__(
        self,
        noise: Any,
        data: Any = None,
        loss: Loss[Any] | None = None,
        net: Callable[[Any, Any, Any], Any] | None = None,
        step: int = 0,
        **states: State,
    ):
        self.noise = noise
        self.data = data
        self.loss = loss
        self.net = net
        self.step = step
        self._hat: Any = None
        self.importance: Tensor | None = None
        self.log: dict[str, Tensor] = {}
        self.samples: dict[int, Tensor] = {}
        for name, state in states.items():
            setattr(self, name, state)

    @property
    def hat(self) -> Tensor:
        """The network's output `[p, b, ...]` for `z` at `t`."""
        if self._hat is None:
            self._hat = self.predict(self.z, self.t)
        hat: Tensor = self._hat
        return hat

    @hat.setter
    def hat(self, value: Any) -> None:
        self._hat = value

    def predict(self, z: State, t: Any, y: State = None) -> Tensor:
        """The network's output for states `z` at times `t`, in the mode it is in, with gradients.

        Args:
            t: times `[b]`; for a network that knows two, such as `net.Span`, also `[b, 2]`.
            y: conditions; None takes those of the batch.
        """
        if self.net is None:
            raise InputError(
                "Batch.predict: this batch has no network to call: it was made by hand, or is one "
                "modality of a joint state. Give Batch(..., net=...)."
            )
        first = t[:, 0] if isinstance(t, Tensor) and t.dim() == 2 else t
        net = self.net.under(self.noise) if isinstance(self.net, Net) else self.net
        hat: Tensor = net(self.noise.inputs(z, first), self.y if y is None else y, t)
        return hat

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
        one.noise, one.net = self.noise[key], None
        for name in ("w", "x", "z", "epsilon", "hat", "t"):
            state = getattr(self, name)
            setattr(one, name, state[key] if isinstance(state, dict) else state)
        return one
