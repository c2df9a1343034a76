"""The times that Diffusers' schedulers visit, beyond those of `diffusion.grid.Spacing`."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...base import Grid
from ...errors import InputError, choose, require
from ...grid import Spacing
from ...grid.inverse import at, falling, ratio
from ...grid.spacing import KINDS
from ...noise import Clock
from .law import LAWS, RHO, levels

NEAR = 1e-9
"""The time of a level that is the schedule's least: 0 is the data."""
SAME = 1e-6
MOST = 1e4
"""Where a law begins if the table ends in pure noise."""


class Ladder(Grid):
    """Timesteps of a table of betas, or noise levels between its ends.

    Args:
        kind, offset: `timestep_spacing` and `steps_offset`; see `diffusion.grid.Spacing`.
        spare: timesteps that are spaced, and left out at the end: 1 for multistep solvers.
        whole: "linspace" is rounded to timesteps; otherwise sigma is linear between them.
        law: None for timesteps, or how sigma/signal falls: "karras", "exponential" or "beta".
        low, high: sigma/signal where the law ends and begins; None is where the table, or with
            `spaced` the timesteps, end and begin.
        end: the last time: 0 is the data, 1 is the first noise of the table.
    """

    kind: str = "leading"
    offset: int = 0
    spare: int = 0
    whole: bool = True
    law: str | None = None
    low: float | None = None
    high: float | None = None
    spaced: bool = False
    end: int = 0

    def __post_init__(self) -> None:
        require(self.steps >= 1, "Ladder.steps", "at least 1", self.steps)
        choose("Ladder.kind", self.kind, KINDS)
        if self.law is not None:
            choose("Ladder.law", self.law, LAWS)
        require(self.offset >= 0, "Ladder.offset", ">= 0", self.offset)
        require(self.end in (0, 1), "Ladder.end", "0 or 1", self.end)

    @property
    def stepping(self) -> bool:
        """Whether all times are steps of the table."""
        return self.law is None and (self.whole or self.kind != "linspace")

    def times(self, clock: Clock, continuous: bool) -> list[Any]:
        if self.stepping:
            found = self._timesteps(clock)
            return [t / clock.steps for t in found] if continuous else found
        last = ratio(clock, 1) if self.end else 0.0
        return ended(clock, self._levels(clock), last, continuous, repr(self))

    def _timesteps(self, clock: Clock) -> list[int]:
        spacing = Spacing(self.steps + self.spare, self.kind, self.offset)
        found: list[int] = spacing.times(clock, False)[: self.steps]
        found = [*found, self.end] if found[-1] > self.end else found
        if len(found) < 2:
            raise InputError(f"{self!r}: one step begins where it ends, t = {self.end}; use more.")
        return found

    def _levels(self, clock: Clock) -> list[float]:
        """sigma/signal at each time but the last."""
        top = ratio(clock, clock.steps)
        ends = [top if top < math.inf else MOST, ratio(clock, 1)]
        if self.law is None or self.spaced:
            ends = self._interpolated(clock)
        if self.law is None:
            return ends
        high = ends[0] if self.high is None else self.high
        return levels(self.law, self.steps, high, ends[-1] if self.low is None else self.low)

    def _interpolated(self, clock: Clock) -> list[float]:
        """sigma/signal at the timesteps, linear in it between those of the table."""
        if self.kind != "linspace":
            return [ratio(clock, t) for t in self._timesteps(clock)[: self.steps]]
        table = [ratio(clock, t) for t in range(1, clock.steps + 1)]
        at_steps = np.linspace(clock.steps - 1, 0, self.steps)
        found: list[float] = np.interp(at_steps, np.arange(clock.steps), table).tolist()
        return found


class Curve(Grid):
    """Levels of sigma/signal by a law, then the data: the schedulers of EDM.

    Args:
        law: see `diffusion.hub.scheduler.law`. high, low, rho: its first and last level, and power.
        data: whether a last step goes from `low` to the data.
    """

    law: str = "karras"
    high: float = 80.0
    low: float = 0.002
    rho: float = RHO
    data: bool = True

    def __post_init__(self) -> None:
        choose("Curve.law", self.law, LAWS)
        require(0 < self.low < self.high < math.inf, "Curve.low, Curve.high", "0 < low < high",
                (self.low, self.high))  # fmt: skip

    def times(self, clock: Clock, continuous: bool) -> list[Any]:
        found = levels(self.law, self.steps, self.high, self.low, self.rho)
        return ended(clock, found, 0.0 if self.data else self.low, continuous, repr(self))


class Skipping(Grid):
    """Some of the timesteps that a network was distilled at: `original` of them, even from T on."""

    original: int = 50

    def times(self, clock: Clock, continuous: bool) -> list[Any]:
        count, top = self.original, clock.steps
        distilled = f"at most the {count} steps that the network was distilled at"
        require(self.steps <= count, "Skipping.steps", distilled, self.steps)
        places = np.floor(np.linspace(0, count, self.steps, endpoint=False)).astype(int).tolist()
        found = [top // count * (count - i) for i in places]
        return [t / top for t in (*found, 0)] if continuous else [*found, 0]


class Squared(Grid):
    """sigma = sin²(π/2·(1 - i/n)) on a circle: slow at both ends. For `Circle`."""

    def times(self, clock: Clock, continuous: bool) -> list[Any]:
        shares = [1 - i / self.steps for i in range(self.steps)]
        angles = [math.asin(math.sin(math.pi / 2 * s) ** 2) for s in shares]
        found = [
            math.tan(angle) if s < 1 else math.inf for s, angle in zip(shares, angles, strict=True)
        ]
        return ended(clock, found, 0.0, continuous, repr(self))


def ended(
    clock: Clock, found: Sequence[float], last: float, continuous: bool, what: str
) -> list[Any]:
    """Times of levels of sigma/signal and of the `last`; one that is the last is no step."""
    kept = [r for r in found if r > last * (1 + SAME)]
    kept = [*kept, last] if last else kept
    if not kept:
        raise InputError(f"{what}: the levels {list(found)[:6]} are not above the last, {last}.")
    if continuous:
        places = [max(u, NEAR) for u in at(clock, kept, True)]
        falls = all(a > b for a, b in pairwise(places))
        if not falls or (last and len(places) < 2):
            raise InputError(f"{what}: the levels {list(found)[:6]}... do not fall to {last:.6g}.")
        return places if last else [*places, 0.0]
    steps = falling([*at(clock, kept, False), 0], len(kept), what)
    return steps[:-1] if last else steps
