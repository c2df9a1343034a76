"""The contracts of noise: the tutorial's five methods, and bridges between any two times."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Self

from torch import Tensor

from ..component import Component
from ..rng import Rng
from ..tree import State
from .distribution import D_co
from .schedule import Schedule


class Noise(Component, Generic[D_co]):
    """A forward process and its reversal, one step at a time (the tutorial's five methods).

    Times are step indices, integer tensors `[b]`. A noise that defines only these can be sampled
    in fewer steps too: the model then binds a copy to a sub-sampled schedule.
    """

    @abstractmethod
    def schedule(self, alpha: Tensor) -> None:
        r"""Precompute what the other methods need from $\alpha_0..\alpha_T$."""

    @abstractmethod
    def stationary(self, shape: tuple[int, ...]) -> D_co:
        """q(x_T), the law sampling starts from, for a batch of this shape."""

    @abstractmethod
    def prior(self, x: Tensor, t: Tensor) -> D_co:
        """q(x_t | x_0)."""

    @abstractmethod
    def posterior(self, x: Tensor, z: Tensor, t: Tensor) -> D_co:
        """q(x_{t-1} | x_t, x_0)."""

    @abstractmethod
    def approximate(self, z: Tensor, t: Tensor, hat: Tensor) -> D_co:
        """p(x_{t-1} | x_t), given the network's output `hat` `[p, b, ...]`."""


class Bridge(Noise[D_co]):
    """A process given by its bridges q(x_s | x_t, x_0) for any s < t; the rest is derived.

    Subclasses write `bind`, `stationary`, `prior`, `bridge` and `predict`. Times are integer or
    floating tensors `[b]`, or host numbers (int: step index, float: u = t/T) for a whole batch.
    """

    @abstractmethod
    def bind(self, schedule: Schedule, soft: bool = False, like: State = None) -> Self:
        """A copy that follows `schedule`.

        `soft` holds t = 0 half a step away from the data, so that q and p of the last step keep a
        variance: for likelihood losses. Without it, t = 0 is the data. `like` is an example of `x`,
        for processes whose states come in several forms (ids or one-hot vectors).
        """

    @abstractmethod
    def bridge(self, x: Tensor, z: Tensor, t: Any, s: Any) -> D_co:
        """q(x_s | x_t, x_0) for any s < t."""

    @abstractmethod
    def predict(self, z: Tensor, t: Any, hat: Tensor) -> Tensor:
        """The denoised x (for discrete states: log-probabilities) that `hat` stands for."""

    def schedule(self, alpha: Tensor) -> None:
        from ..schedule.scales import Table

        bound = self.bind(Table(len(alpha) - 1, alpha))
        vars(self).update(vars(bound))

    def posterior(self, x: Tensor, z: Tensor, t: Any, s: Any = None) -> D_co:
        return self.bridge(x, z, t, self.before(t) if s is None else s)

    def approximate(self, z: Tensor, t: Any, hat: Tensor, s: Any = None) -> D_co:
        return self.step(z, t, self.before(t) if s is None else s, hat)

    def step(self, z: Tensor, t: Any, s: Any, hat: Tensor) -> D_co:
        """p(x_s | x_t) for any s < t: the bridge towards the predicted x."""
        return self.bridge(self.predict(z, t, hat), z, t, s)

    @abstractmethod
    def before(self, t: Any) -> Any:
        """The time one step of the bound schedule earlier: t - 1, or max(u - 1/T, 0)."""

    def pure(self, shape: Any, t: Any) -> D_co:
        """The law that sampling starts from at the host time `t`: the stationary one at T.

        Earlier the marginal is that of the data too, and unknown; this is the nearest that is.
        """
        return self.stationary(shape)

    def decoder(self, z: Tensor, t: Any, hat: Tensor) -> D_co:
        """p(x_0 | x_t) as a likelihood of the data, for the last term of the bound."""
        return self.approximate(z, t, hat)

    def prepare(self, times: Sequence[Any]) -> None:
        """Called with the host times of a sampling, so that a step needs lookups only."""
        return

    def inputs(self, z: Tensor, t: Any) -> Tensor:
        """What the network is shown of the state `z`."""
        return z

    def known(self, x: Tensor, t: Any, rng: Rng = None) -> Tensor:
        """A state at time `t` in which `x` is known, to hold positions fixed while sampling."""
        from ..distribution.draw import draw

        state: Tensor = draw(self.prior(x, t), rng)[0]
        return state
