"""Looking at a sampling step by step, and changing where it goes on from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from ..base import Predict
from ..errors import MismatchError
from ..noise.joint import Joint
from ..noise.steered import Steered
from ..tree import State


class Seen(NamedTuple):
    """What a sampling has come to.

    Attributes:
        z: the state at the time t, after step number `step` (from 0) of `steps`.
        x: the data that the network predicted last: a function, as it costs a little.
    """

    z: State
    t: Any
    step: int
    steps: int
    x: Callable[[], State]


class Watch(Protocol):
    """A function of every state. If it `steers`, sampling goes on from what it returns."""

    steers: bool

    def __call__(self, seen: Seen) -> State: ...


class Watched:
    """One sampling, and who watches it."""

    def __init__(self, watch: Watch | None, sampler: Any, noise: Any, times: Sequence[Any]) -> None:
        self.watch, self.sampler, self.inner, self.times = watch, sampler, noise, times
        self.said: tuple[State, Any, State] = (None, None, None)
        self.done = 0
        steers = watch is not None and watch.steers
        if steers and isinstance(noise, Joint):
            raise MismatchError("sample.watch: joint states can be looked at, not changed.")
        self.noise = Steered(noise, self._steer) if steers else noise

    def heard(self, predict: Predict) -> Predict:
        """`predict`, with its last answer kept."""

        def heard(z: State, y: State, t: Any) -> State:
            hat = predict(z, y, t)
            self.said = z, t, hat
            return hat

        return heard

    def after(self, z: State, step: int) -> None:
        """To be called with every state that the sampler has yielded."""
        if self.watch is None:
            return
        if not self.watch.steers:
            self.watch(self._seen(z, self.times[step + 1]))
        if self.done != step + 1:
            raise MismatchError(
                f"{type(self.sampler).__name__} goes on from its own state, whatever a block "
                "between its steps makes of it. Call noise.keep(z, t, rng) in it, as Adams does."
            )

    def _steer(self, z: Any, t: Any) -> Any:
        assert self.watch is not None
        return self.watch(self._seen(z, t))

    def _seen(self, z: State, t: Any) -> Seen:
        before, then, hat = self.said
        step, self.done = self.done, self.done + 1
        return Seen(z, t, step, len(self.times) - 1, lambda: self.inner.predict(before, then, hat))
