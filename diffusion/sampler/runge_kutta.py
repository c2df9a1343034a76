"""Single-step methods: several network calls a step, and no memory of earlier ones."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import rng as random
from ..base import Predict
from ..errors import choose, require
from ..grid.inverse import at as at_levels
from ..grid.inverse import ratio
from ..noise.fixed import Fixed
from ..rng import Rng
from ..tree import State
from .exponential import TARGETS, VARIABLES, Point, weights
from .plan import Call, Integrator, Known, Step, called, points, reading
from .settings import pair, within
from .tableau import TABLEAUX, Nodes


class RungeKutta(Integrator):
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
        super().__post_init__()
        name = type(self).__name__
        choose(f"{name}.tableau", self.tableau, TABLEAUX)
        within(f"{name}.churn", self.churn, 0)
        within(f"{name}.churn_scale", self.churn_scale, 0)
        low, high = pair(self.churn_range)
        require(0 <= low < high, f"{name}.churn_range", "0 <= low < high", self.churn_range)
        self.churn_range = (low, high)

    @property
    def kept(self) -> int:
        return len(TABLEAUX[self.tableau].stages) + 1

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        plan, keep = self.plan(noise, times), noise.keep if isinstance(noise, Fixed) else None
        none: Known = ()
        for s, calls, churn, *_ in plan:
            if churn is not None:
                z = (z * churn[0]).add_(random.normal(z, rng), alpha=churn[1])
            shown, known = z, none
            for call in calls:
                z, shown, known = call.take(z, shown, predict(shown, y, call.t), known)
            z = shown if keep is None else keep(shown, s, rng)
            yield z

    def planned(self, noise: Any, times: Sequence[Any]) -> list[Step]:
        starts, churns = self._raised(noise, times)
        pairs = [*zip(starts, times[1:], strict=True)]
        found = zip(pairs, self._inner(noise, pairs), churns, strict=True)
        return [Step(s, self._calls(noise, t, s, inner), churn) for (t, s), inner, churn in found]

    def _raised(
        self, noise: Any, times: Sequence[Any]
    ) -> tuple[list[Any], list[tuple[float, float] | None]]:
        """Times of more noise to start from, and how to get there: a factor, and a deviation."""
        starts = list(times[:-1])
        churns: list[tuple[float, float] | None] = [None] * len(starts)
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

    def _calls(self, noise: Any, t: Any, s: Any, inner: list[Any] | None) -> tuple[Call, ...]:
        """The calls of a step: each leads to the next one's place, and the last to the end."""
        tableau = TABLEAUX["euler" if inner is None else self.tableau]
        row, places = TARGETS[self.target], [t, *(inner or [])]
        at, (end,) = points(noise, places), points(noise, [s])
        reads = [reading(noise, row, p, place) for p, place in zip(at, places, strict=True)]
        reads[1:] = [read._replace(on_gap=0.0) for read in reads[1:]]
        goals, sums = [*at[1:], end], [*(nodes for _, nodes in tableau.stages), tableau.final]
        calls = []
        for i, goal in enumerate(goals):
            on_z, factors = self._sum(at, goal, sums[i])
            calls.append(called(places[i], reads[i::-1], on_z, factors[i::-1]))
        return tuple(calls) if inner else (calls[0].alone(),)

    def _sum(self, at: list[Point], end: Point, nodes: Nodes) -> tuple[float, list[float]]:
        """The coefficients of z and of targets, oldest first, of the step to `end`."""
        row, variable = TARGETS[self.target], VARIABLES[self.variable]
        chosen = [at[group[0]] for group in nodes]
        on_z, found = weights(row, variable, at[0], end, chosen, self.rule)
        factors = [0.0] * len(at)
        for group, factor in zip(nodes, found, strict=True):
            for i in group:
                factors[i] = factor / len(group)
        return on_z, factors

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
