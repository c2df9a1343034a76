"""The contracts of guidance and samplers, which share how a network is called."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from ..component import Component
from ..rng import Rng
from ..tree import State
from .grid import Grid
from .noise import Noise

if TYPE_CHECKING:
    from ..batch import Batch


Predict: TypeAlias = Callable[[State, State, Any], State]
"""`predict(z, y, t) -> hat`: the network as samplers see it; `t` is a host number or a tensor."""


class Guidance(Component):
    """Changes what the network predicts while sampling; closed under `|`, applied left to right."""

    conditional: ClassVar[bool] = False
    """Whether it needs conditions, so that a model without any is an error."""

    reads: ClassVar[bool] = False
    """Whether it reads the conditions itself, so that they may be unknown to the network."""

    @abstractmethod
    def __call__(self, predict: Predict, noise: Any) -> Predict:
        """A guided `predict`, from the plain one and the bound noise."""

    def corrupt(self, batch: Batch[Any]) -> None:
        """Change a training batch's own copy of the conditions, e.g. drop labels."""

    def fits(self, noise: Noise[Any]) -> str | None:
        """Why this guidance can't guide predictions for `noise`, or None."""
        return None

    def __or__(self, other: Guidance) -> Guidance:
        from ..guidance.chain import Chain

        return Chain((self, other))


class Sampler(Component):
    """Walks from noise to data. A generator: its history lives in local variables."""

    @abstractmethod
    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        """Yield the state at times[1], times[2], ..., starting from `z` at times[0].

        Args:
            noise: the bound noise, with `step(z, t, s, hat) -> D`.
            predict: the guided network.
            times: descending host numbers from T (or 1.0) to 0.
            rng: where noise is drawn from.
        """

    def fits(self, noise: Noise[Any]) -> str | None:
        """Why this sampler can't drive `noise`, or None."""
        return None

    def grid(self, steps: int) -> Grid | None:
        """The times it would rather visit in so many steps; None is even steps of time."""
        return None
