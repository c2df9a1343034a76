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
        top = ratio(noise.clock, noise.clock.steps)
        steps = []
        for t, s in pairwise(times):
            raised, churn = self._raised(noise, t, len(times) - 1, top)
            steps.append(self._step(noise, raised, s)._replace(churn=churn))
        return steps

    def _raised(
        self, noise: Any, t: Any, count: int, top: float
    ) -> tuple[Any, tuple[float, float]]:
        """A time of more noise to start from, and how to get there."""
        now, (low, high) = ratio(noise.clock, t), self.churn_range
        up = now * (1 + min(self.churn / count, math.sqrt(2) - 1))
        if not (self.churn and low <= now <= high and up <= top):
            return t, (1.0, 0.0)
        later = at_levels(noise.clock, [up], isinstance(t, float))[0]
        (signal, sigma), (signal_up, sigma_up) = noise.clock(t), noise.clock(later)
        scale = signal_up / signal
        added = self.churn_scale * max(sigma_up**2 - (scale * sigma) ** 2, 0.0) ** 0.5
        return later, (scale, added)

    def _step(self, noise: Any, t: Any, s: Any) -> Step:
        tableau = TABLEAUX[self.tableau]
        here, there = points(noise, [t, s])
        row = TARGETS[self.target]
        startable(self, row, here)
        inner = self._times(noise, t, s, here, there, [c for c, _ in tableau.stages])
        if inner is None:
            tableau, inner = TABLEAUX["euler"], []
        places = [t, *inner]
        at = points(noise, places)
        reads = [reading(noise, row, p, place) for p, place in zip(at, places, strict=True)]
        stages = [Stage(t, Sum(1.0, ()), reads[0])]
        for i, (_, nodes) in enumerate(tableau.stages, 1):
            state = self._sum(here, at[i], at, nodes).scaled(reads)
            stages.append(Stage(places[i], state, reads[i]))
        if there.sigma == 0 and self.target == "F" and not inner:
            on_z, on_y = to_data(row, here)
            return Step((1.0, 0.0), stages, Sum(on_z, (on_y,)).scaled(reads))
        final = self._sum(here, there, at, tableau.final).scaled(reads)
        return Step((1.0, 0.0), stages, final)

    def _sum(self, start: Point, end: Point, at: list[Point], nodes: Nodes) -> Sum:
        row, variable = TARGETS[self.target], VARIABLES[self.variable]
        on_z, found = weights(row, variable, start, end, [at[group[0]] for group in nodes],
                              self.rule)  # fmt: skip
        factors = [0.0] * (1 + max(max(group) for group in nodes))
        for group, factor in zip(nodes, found, strict=True):
            for i in group:
                factors[i] = factor / len(group)
        return Sum(on_z, tuple(factors))

    def _times(
        self, noise: Any, t: Any, s: Any, here: Point, there: Point, places: list[float]
    ) -> list[Any] | None:
        """The times of the stages; None where the network can't be called there."""
        of = VARIABLES[self.variable].of
        low, high = (of(p.ratio, p.data) for p in (there, here))
        inner = [c for c in places if c < 1]
        if there.sigma == 0 and (len(inner) < len(places) or not math.isfinite(low)):
            return None
        if inner and not (math.isfinite(low) and math.isfinite(high)):
            return None
        inside = np.array([high + c * (low - high) for c in inner])
        levels = VARIABLES[self.variable].ratio(inside, here.data).tolist()
        found = dict(zip(inner, at_levels(noise.clock, levels, isinstance(t, float)), strict=True))
        times = [found.get(c, s) for c in places]
        distinct = all(s < found[c] < t for c in inner)
        return times if distinct and len(set(found.values())) == len(found) else None
