"""Hearing every module of a sampling at work: schedule, network, guidance, sampler.

`TAP` is looked up once for each sampling; where nobody listens, nothing else happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from ..base import Predict
from ..tree import State
from .watch import Watch


class Begun(NamedTuple):
    """A sampling that is about to take its first step.

    Attributes:
        model: whose modules were taken, but for the sampler and guidance given beside it.
        noise: bound; with known positions if there are any. predict: the network alone.
        z: the first state. draws: a generator for each sample, after the first state was drawn.
    """

    model: Any
    noise: Any
    sampler: Any
    guidance: Any
    predict: Predict
    times: Sequence[Any]
    z: State
    y: State
    draws: Any
    seed: Any


class Ear(Protocol):
    """What listens to one sampling. All but `begin` give back what they were given, wrapped."""

    def network(self, predict: Predict) -> Predict: ...
    def guided(self, predict: Predict) -> Predict: ...
    def watch(self, watch: Watch | None) -> Watch | None: ...
    def begin(self, begun: Begun) -> None: ...
    def states(self, states: Iterator[State]) -> Iterator[State]: ...


class Tap(Protocol):
    """What may listen to samplings."""

    def sampling(self) -> Ear | None:
        """A listener for the sampling that begins now, or None."""
        ...


TAP: ContextVar[Tap | None] = ContextVar("tap", default=None)
