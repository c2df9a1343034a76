"""The first module of a sampling that behaves otherwise, by feeding it what another's was fed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from ... import tree
from ...errors import InputError
from ...noise.fixed import Fixed
from ...noise.steered import Steered
from ...sampling import weights
from ...sampling.tap import Begun
from ...tree import State
from ..difference import difference
from ..trace.listen import copied
from ..trace.record import Call, Sampled, Step, leaves
from ..trace.value import Summary
from .begin import Found, begins
from .parts import layer

Between = Callable[[int], Found | None]
"""What looks at the blocks between two steps."""


class Wrong(Exception):
    """What a module did otherwise."""

    def __init__(self, module: str, what: str) -> None:
        super().__init__(what)
        self.module, self.what = module, what


class Within:
    """Two samplings that begin with the same inputs: one as it was recorded, one that is live.

    Step by step the other's network is asked about the recorded state and time, its guidance is
    given the recorded outputs of the network, and its sampler the recorded guided outputs.

    Attributes:
        asked: the state, condition and time at which the networks differ, if they do.
    """

    def __init__(self, a: Sampled, b: Sampled, tolerance: float) -> None:
        if b.live is None:
            raise InputError("blame: the second sampling is not live.")
        self.a, self.b, self.live, self.tolerance = a, b, b.live, tolerance
        self.asked: tuple[Any, Any, Any] | None = None
        self._call: Call | None = None
        self._network: Iterator[Any] = iter(())

    def found(self, between: Between) -> Found | None:
        """The first thing that differs, or None."""
        first = begins(self.a, self.b, self.tolerance)
        if first is not None:
            return first
        for k, step in enumerate(done(self.a)):
            found = self._calls(k, step) or self._sampler(k) or between(k)
            if found is not None:
                return found
        return None

    def _calls(self, k: int, step: Step) -> Found | None:
        """What the network and the guidance say of the recorded states of a step."""
        if k == 0:
            noise, guidance = bare(self.live.noise), self.live.guidance
            self._guided = self._said if guidance is None else guidance(self._said, noise)
            self._replay = Replay(
                self.live.sampler, self.live.noise, self.a, self.live, self.tolerance
            )
        for call in step.calls:
            self._network = iter(call.network)
            try:
                with torch.no_grad():
                    hat = self._guided(call.z, self.a.y, call.t)
                if next(self._network, None) is not None:
                    raise Wrong("guidance", "it asks the network less often")
            except Wrong as wrong:
                return Found(k, wrong.module, wrong.what)
            except Exception as error:
                return Found(k, "guidance", f"raises {type(error).__name__}: {error}")
            found = difference(call.hat, hat, self.tolerance)
            if found is not None:
                return Found(k, "guidance", f"of the same outputs of the network: {found}")
        return None

    def _said(self, z: State, y: State, t: Any) -> State:
        """What the network says, if it is what was recorded."""
        known = next(self._network, None)
        if known is None:
            raise Wrong("guidance", "it asks the network more often")
        shown = difference(known.z, z, self.tolerance) or difference(known.t, t)
        if shown is not None:
            raise Wrong("guidance", f"it shows the network something else: {shown}")
        try:
            hat = self.live.predict(z, y, t)
        except Exception as error:
            raise Wrong("net", f"raises {type(error).__name__}: {error}") from error
        found = difference(known.hat, hat, self.tolerance)
        if found is not None:
            self.asked = z, y, t
            raise Wrong(self._shown(z, t), f"of the same state and time: {found}")
        differentiated = any(getattr(one, "requires_grad", False) for one in leaves(hat))
        return hat if differentiated or self.tolerance == 0 else known.hat

    def _shown(self, z: State, t: Any) -> str:
        """Who is to blame for another output: the network, or what the noise shows it."""
        if self.a.live is None:
            return "net"
        ours, theirs = (bare(one.noise).inputs(z, t) for one in (self.a.live, self.live))
        return "net" if difference(ours, theirs) is None else "noise"

    def layer(self) -> list[str]:
        """The first layer that makes something else, where the networks differ."""
        if self.asked is None or self.a.live is None:
            return []
        sides = (self.a.live, self.live)
        nets = [weights(one.model)[0] for one in sides]
        said = layer(*nets, *(partial(one.predict, *self.asked) for one in sides))
        return [said] if said else []

    def _sampler(self, k: int) -> Found | None:
        """Where the sampler goes from the recorded outputs."""
        what = self._replay.step(k)
        if not what:
            return None
        return Found(k, self._mover(k), what)

    def _mover(self, k: int) -> str:
        """Who is to blame for another state: the sampler, the noise, or the schedule's slopes."""
        ours = self.a.live
        if ours is None:
            same = self.a.modules["sampler"] == self.b.modules["sampler"]
            return (
                "noise"
                if same and self.a.modules["noise"] != self.b.modules["noise"]
                else "sampler"
            )
        other = Replay(ours.sampler, self.live.noise, self.a, self.live, self.tolerance)
        if not any(other.step(i) for i in range(k + 1)):
            return "sampler"
        rates = [_rates(one.noise, self.a.times[k]) for one in (ours, self.live)]
        return "noise" if difference(*rates) is None else "schedule"

    def _led(self, sampler: Any) -> Replay:
        return Replay(sampler, self.live.noise, self.a, self.live, self.tolerance)


def mover(a: Sampled, b: Sampled) -> str:
    """Who is to blame for another state, by what is written of them: noise or sampler."""
    same = a.modules["sampler"] == b.modules["sampler"]
    return "noise" if same and a.modules["noise"] != b.modules["noise"] else "sampler"


class Replay:
    """A sampler that is told what another's network said, and led along its states."""

    def __init__(
        self, sampler: Any, noise: Any, a: Sampled, live: Begun, tolerance: float
    ) -> None:  # fmt: skip
        self.steps, self.tolerance, self.at = done(a), tolerance, 0
        self.calls = iter([call for step in self.steps for call in step.calls])
        self.reached: State = None
        steered = any(step.before is not None for step in self.steps)
        noise = Steered(noise, self._steer) if steered else noise
        z = tree.map(torch.clone, a.z)
        self.states = sampler(noise, self._predict, z, a.y, list(a.times), copied(live.draws))

    def step(self, k: int) -> str:
        """How the k-th state differs from the recorded one; empty if it does not."""
        self.at = k
        try:
            with torch.no_grad():
                state = next(self.states)
        except Wrong as wrong:
            return wrong.what
        except StopIteration:
            return "it takes fewer steps"
        except Exception as error:
            return f"raises {type(error).__name__}: {error}"
        steered = self.steps[k].before is not None
        found = difference(
            self.steps[k].reached, self.reached if steered else state, self.tolerance
        )
        return "" if found is None else f"the state after the step, of the same outputs: {found}"

    def _predict(self, z: State, y: State, t: Any) -> State:
        call = next(self.calls, None)
        if call is None:
            raise Wrong("sampler", "it calls the network more often")
        found = difference(call.t, t) or difference(call.z, z, self.tolerance)
        if found is not None:
            raise Wrong("sampler", f"it asks about another state or time: {found}")
        return call.hat

    def _steer(self, z: Any, t: Any) -> Any:
        self.reached = z
        return self.steps[self.at].state


def done(a: Sampled) -> list[Step]:
    """The steps that were taken. Errors: parts of them were too large to be kept."""
    steps = [step for step in a.steps if step.state is not None]
    for step in steps:
        kept = [step.state, *((call.z, call.hat) for call in step.calls)]
        if any(isinstance(one, Summary) for one in leaves(kept)):
            raise InputError(
                "blame: the states of this trace were too large to keep. Trace again with larger "
                "bounds: pipe.trace(folder, limit=..., total=...), in bytes."
            )
    return steps


def bare(noise: Any) -> Any:
    """A bound noise without known positions, as guidance and network see it."""
    return noise.inner if isinstance(noise, Fixed) else noise


def _rates(noise: Any, t: Any) -> Any:
    clock = getattr(bare(noise), "clock", None)
    return None if clock is None else tree.map(clock.rates, t)
