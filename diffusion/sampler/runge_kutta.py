"""Single-step methods: several network calls a step, and no memory of earlier ones."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from .. import rng as random
from ..base import Grid, Noise, Predict, Sampler
from ..errors import choose, require
from ..grid import Uniform
from ..grid.inverse import at as at_levels
from ..grid.inverse import ratio
from ..noise.fixed import Fixed
from ..rng import Rng
from ..tree import State
from .exponential import RULES, TARGETS, VARIABLES, Point, weights
from .plan import Reading, combine, points, reading, refuse, remembered, scaled, startable, to_data
from .tableau import TABLEAUX, Nodes


class Sum(NamedTuple):
    """A state as a sum: of the step's start, and of the targets of its stages."""

    on_z: float
    factors: tuple[float, ...]

    def __call__(self, z: Tensor, known: list[Tensor]) -> Tensor:
        return combine(self.on_z, z, self.factors, known)

    def scaled(self, reads: list[Reading]) -> "Sum":
        """The same of targets that are kept over their scales."""
        return Sum(self.on_z, scaled(self.factors, reads))


class Stage(NamedTuple):
    """Where the network is called next, and how its answer is read."""

    t: Any
    state: Sum
    read: Reading


class Step(NamedTuple):
    """Churn first (scale of z, deviation), then stages, then the sum that ends it."""

    churn: tuple[float, float]
    stages: list[Stage]
    final: Sum


class RungeKutta(Sampler):
    """Integrate the probability-flow ODE by a tableau of `diffusion.sampler.tableau`.

    Args:
        tableau: "euler", "midpoint", "heun", "res_2s", "res_3s" or "rk4".
        target, variable: what is integrated, in which variable; see `Adams`. Stages lie between
            the times in that variable; for integer times, at the nearest step.
        rule: how a straight line is integrated; see `Adams`.
        churn: noise to add before a step, divided by the number of steps: S_churn of Karras et al.
            2022, algorithm 2. churn_range: of sigma/signal, where; churn_scale: S_noise.

    A step to the data itself that would call the network there is one of "euler".
    """

    tableau: str = "heun"
    target: str = "velocity"
    variable: str = "flow"
    rule: str = "exact"
    churn: float = 0.0
    churn_range: tuple[float, float] = (0.0, math.inf)
    churn_scale: float = 1.0

    def __post_init__(self) -> None:
        name = type(self).__name__
        choose(f"{name}.tableau", self.tableau, TABLEAUX)
        choose(f"{name}.target", self.target, TARGETS)
        choose(f"{name}.variable", self.variable, VARIABLES)
        choose(f"{name}.rule", self.rule, RULES)
        require(self.churn >= 0, f"{name}.churn", ">= 0", self.churn)
        low, high = self.churn_range
        require(0 <= low < high, f"{name}.churn_range", "0 <= low < high", (low, high))
        self.churn_range = (low, high)

    def fits(self, noise: Noise[Any]) -> str | None:
        return refuse(self, noise)

    def grid(self, steps: int) -> Grid | None:
        return Uniform(steps, "flow", 1.5)

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        for s, step in zip(times[1:], self.plan(noise, times), strict=True):
            if step.churn[1]:
                z = z * step.churn[0]
                z = z.add_(random.normal(z, rng), alpha=step.churn[1])
            known: list[Tensor] = []
            for t, state, read in step.stages:
                shown = state(z, known)
                moved, target = read(shown, predict(shown, y, t))
                z = z if known else moved  # the first stage is the start of the step
                known.append(target)
            z = step.final(z, known)
            if isinstance(noise, Fixed):
                z = noise.keep(z, s, rng)
            yield z

    def plan(self, noise: Any, times: Sequence[Any]) -> list[Step]:
        """The coefficients of every step, from the noise's scales alone; kept with the noise."""
        return remembered(noise, (self, *times), lambda bound: self._planned(bound, times))

    def _planned(self, noise: Any, times: Sequence[Any]) -> list[Step]:
        starts, churns = self._raised(noise, times)
        pairs = [*zip(starts, times[1:], strict=True)]
        found = zip(pairs, self._inner(noise, pairs), churns, strict=True)
        return [self._step(noise, t, s, inner, churn) for (t, s), inner, churn in found]

    def _raised(
        self, noise: Any, times: Sequence[Any]
    ) -> tuple[list[Any], list[tuple[float, float]]]:
        """Times of more noise to start from, and how to get there: a factor, and a deviation."""
        starts, churns = list(times[:-1]), [(1.0, 0.0)] * (len(times) - 1)
        if not self.churn:
            return starts, churns
        grown = 1 + min(self.churn / len(starts), math.sqrt(2) - 1)
        top, (low, high) = ratio(noise.clock, noise.clock.steps), self.churn_range
        now = [ratio(noise.clock, t) for t in starts]
        up = {i: r * grown for i, r in enumerate(now) if low <= r <= high and r * grown <= top}
        up = {i: r for i, r in up.items() if r < math.inf}
        later = at_levels(noise.clock, [*up.values()], isinstance(times[0], float))
        for i, t in zip(up, later, strict=True):
            (signal, sigma), (signal_up, sigma_up) = noise.clock(starts[i]), noise.clock(t)
            scale = signal_up / signal
            added = max(sigma_up**2 - (scale * sigma) ** 2, 0.0) ** 0.5
            starts[i], churns[i] = t, (scale, self.churn_scale * added)
        return starts, churns

    def _step(
        self, noise: Any, t: Any, s: Any, inner: list[Any] | None, churn: tuple[float, float]
    ) -> Step:
        tableau = TABLEAUX["euler" if inner is None else self.tableau]
        here, there = points(noise, [t, s])
        row = TARGETS[self.target]
        startable(self, row, here)
        places = [t, *(inner or [])]
        at = points(noise, places)
        reads = [reading(noise, row, p, place) for p, place in zip(at, places, strict=True)]
        stages = [Stage(t, Sum(1.0, ()), reads[0])]
        for i, (_, nodes) in enumerate(tableau.stages, 1):
            state = self._sum(here, at[i], at, nodes).scaled(reads)
            stages.append(Stage(places[i], state, reads[i]))
        if there.sigma == 0 and self.target == "F" and not inner:
            on_z, on_y = to_data(row, here)
            return Step(churn, stages, Sum(on_z, (on_y,)).scaled(reads))
        return Step(churn, stages, self._sum(here, there, at, tableau.final).scaled(reads))

    def _sum(self, start: Point, end: Point, at: list[Point], nodes: Nodes) -> Sum:
        row, variable = TARGETS[self.target], VARIABLES[self.variable]
        on_z, found = weights(row, variable, start, end, [at[group[0]] for group in nodes],
                              self.rule)  # fmt: skip
        factors = [0.0] * (1 + max(max(group) for group in nodes))
        for group, factor in zip(nodes, found, strict=True):
            for i in group:
                factors[i] = factor / len(group)
        return Sum(on_z, tuple(factors))

    def _inner(self, noise: Any, pairs: list[tuple[Any, Any]]) -> list[list[Any] | None]:
        """The times of each step's stages after the first; None where there can be none."""
        variable, places = VARIABLES[self.variable], [c for c, _ in TABLEAUX[self.tableau].stages]
        between = sorted({c for c in places if c < 1})
        levels: list[list[float]] = []
        for t, s in pairs:
            ends = points(noise, [t, s])
            high, low = (variable.of(p.ratio, p.data) for p in ends)
            # At the data the network is not called, and no place lies halfway to infinity.
            ends_there = ends[1].sigma == 0 and (1.0 in places or not math.isfinite(low))
            known = not ends_there and math.isfinite(high) and math.isfinite(low)
            inside = np.array([high + c * (low - high) for c in between] if known else [])
            levels.append(variable.ratio(inside, ends[0].data).tolist())
        flat = [level for one in levels for level in one]
        found = iter(at_levels(noise.clock, flat, isinstance(pairs[0][0], float)) if flat else [])
        inner: list[list[Any] | None] = []
        for (t, s), own in zip(pairs, levels, strict=True):
            at = dict(zip(between, [next(found) for _ in own], strict=False))
            chain = [t, *at.values(), s]
            falls = len(at) == len(between) and all(a > b for a, b in pairwise(chain))
            reached = s > 0 or 1.0 not in places
            inner.append([at.get(c, s) for c in places] if falls and reached else None)
        return inner
