"""Listening to one sampling, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Generator

from ...base import Predict
from ...rng import Each
from ...sampling.tap import Begun
from ...sampling.watch import Seen, Watch
from ...tree import State
from .record import Asked, Call, Sampled, Step, scales
from .value import Keeper

MODULES = ("data", "schedule", "noise", "net", "time", "sampler", "guidance")


class Listener:
    """The `Ear` of one sampling; puts what it hears into `record.sampled`.

    Args:
        into: the list that the sampling is added to when it begins.
        live: whether to keep what took part, to run it again.
    """

    def __init__(self, keep: Keeper, into: list[Sampled], live: bool) -> None:
        self.keep, self.into, self.live = keep, into, live
        self.step = Step()
        self.call: Call | None = None

    def network(self, predict: Predict) -> Predict:
        def heard(z: State, y: State, t: Any) -> State:
            hat = predict(z, y, t)
            if self.call is not None:
                self.call.network.append(Asked(self.keep(z), self.keep(t), self.keep(hat)))
            return hat

        return heard

    def guided(self, predict: Predict) -> Predict:
        def heard(z: State, y: State, t: Any) -> State:
            self.call = Call(self.keep(z), self.keep(t))
            self.step.calls.append(self.call)
            hat = predict(z, y, t)
            self.call.hat, self.call = self.keep(hat), None
            return hat

        return heard

    def watch(self, watch: Watch | None) -> Watch | None:
        return watch if watch is None or not watch.steers else _Steering(watch, self)

    def begin(self, begun: Begun) -> None:
        times = [self.keep(t) for t in begun.times]
        kept = begun._replace(draws=copied(begun.draws)) if self.live else None
        chosen = {**vars(begun.model), "sampler": begun.sampler, "guidance": begun.guidance}
        modules = {name: _written(chosen[name]) for name in MODULES}
        self.sampled = Sampled(
            times, [scales(begun.noise, t) for t in times], self.keep(begun.z),
            self.keep(begun.y), begun.seed, modules, live=kept,
        )  # fmt: skip
        self.into.append(self.sampled)
        self.sampled.steps.append(self.step)

    def states(self, states: Iterator[State]) -> Iterator[State]:
        for z in states:
            self.step.state = self.keep(z)
            if len(self.sampled.steps) < len(self.sampled.times) - 1:
                self.step = Step()
                self.sampled.steps.append(self.step)
            yield z


class _Steering:
    """A watch that changes states, with the state before it kept."""

    steers = True

    def __init__(self, watch: Watch, listener: Listener) -> None:
        self.inner, self.listener = watch, listener

    def __call__(self, seen: Seen) -> State:
        self.listener.step.before = self.listener.keep(seen.z)
        return self.inner(seen)


def copied(draws: Each) -> Each:
    """Generators that will draw what these will."""
    made = Each(Generator().set_state(one.get_state()) for one in draws)
    made._ahead = {key: list(rows) for key, rows in draws._ahead.items()}
    return made


def _written(module: Any) -> str:
    """A module in a line; a network as its class and size."""
    if not hasattr(module, "parameters"):
        return repr(module)
    weights = list(module.parameters())
    dtypes = sorted(str(dtype)[6:] for dtype in {one.dtype for one in weights})
    return f"{type(module).__name__}, {sum(w.numel() for w in weights)} weights {' '.join(dtypes)}"
