"""The exponential multistep integrator of which most fast samplers are cases."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from .. import rng as random
from ..base import Grid, Noise, Predict, Sampler
from ..errors import choose, require
from ..grid import Uniform
from ..noise.fixed import Fixed
from ..noise.joint import Joint
from ..rng import Rng
from ..tree import State
from .brownian import Brownian
from .exponential import RULES, TARGETS, VARIABLES, Point, Target, noisy, weights
from .lockstep import lockstep
from .plan import Reading, combine, points, reading, refuse, remembered, scaled, startable, to_data


class Step(NamedTuple):
    """One step, as host numbers: what is read at its start, and the sum that ends it."""

    read: Reading
    on_z: float
    factors: tuple[float, ...]
    deviation: float = 0.0
    noise: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def advance(
        self, z: Tensor, hat: Any, known: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The next state but for noise, and the targets known by then: pure, and compilable.

        Args:
            hat: what the network says at `z`. known: the targets of earlier steps, newest first.
        """
        z, target = self.read(z, hat)
        known = target, *known
        return combine(self.on_z, z, self.factors, known), known


class Adams(Sampler):
    """Integrate the probability-flow ODE with a polynomial through the last `order` targets.

    Args:
        target: what is interpolated: "x", "epsilon", "velocity" (of straight paths) or "F" (of
            Karras et al. 2022, at the noise's `sigma_data`).
        variable: in which: "log_snr", "sigma" (sigma/signal), "flow" (sigma/(signal + sigma)) or
            "angle" (atan of sigma/(sigma_data·signal)).
        order: targets that predict a step; fewer at the start, and at the end.
        corrector: targets, the newest included, that repeat each step once the next network call
            is known; 0 for none. It costs no call: both steps are folded into one sum.
        cautious: a noise level sigma/(signal + sigma); above it, where guided networks are rough,
            no more than two targets predict. 1 for no such limit.
        rule: how a straight line is integrated, "exact" or by its "midpoint", as published for
            DPM-Solver++ 2M and UniPC.
        eta: noise in the steps: 0 is the ODE, 1 the noise of the exact posterior. Only with the
            target "x".
        brownian: draw that noise from one Brownian path for each sample, so that another number of
            steps keeps it.

    On joint noise the Gaussian parts are integrated, and the others take ancestral steps. See
    `diffusion.sampler.exponential` for the mathematics, and sources.
    """

    target: str = "velocity"
    variable: str = "flow"
    order: int = 3
    corrector: int = 3
    cautious: float = 0.3
    rule: str = "exact"
    eta: float = 0.0
    brownian: bool = False

    def __post_init__(self) -> None:
        name = type(self).__name__
        choose(f"{name}.target", self.target, TARGETS)
        choose(f"{name}.variable", self.variable, VARIABLES)
        choose(f"{name}.rule", self.rule, RULES)
        require(1 <= self.order <= 6, f"{name}.order", "1 to 6", self.order)
        known = self.corrector == 0 or 2 <= self.corrector <= 7
        require(known, f"{name}.corrector", "0, or 2 to 7 targets", self.corrector)
        require(0 <= self.cautious <= 1, f"{name}.cautious", "0 to 1", self.cautious)
        silent = self.eta == 0 or (self.eta > 0 and self.target == "x")
        require(silent, f"{name}.eta", "0, or more with the target 'x'", self.eta)

    def fits(self, noise: Noise[Any]) -> str | None:
        parts = noise.parts.values() if isinstance(noise, Joint) else (noise,)
        fine = any(refuse(self, part) is None for part in parts)
        return None if fine else refuse(self, noise)

    def grid(self, steps: int) -> Grid | None:
        return Uniform(steps, "flow", 1.5)

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        if isinstance(noise, Joint):
            yield from lockstep(self.walk, noise, predict, z, y, times, rng)
            return
        walk = self.walk(noise, z, times, rng)
        next(walk)
        for t in times[:-1]:
            z = walk.send(predict(z, y, t))
            yield z

    def walk(
        self, noise: Any, z: Tensor, times: Sequence[Any], rng: Rng
    ) -> Generator[Tensor, Any, None]:
        """A coroutine that yields a state, and is sent what the network says of it."""
        plan = self.plan(noise, times)
        known: tuple[Tensor, ...] = ()
        kept = max(self.order, self.corrector - 1)
        path = Brownian(z, rng, self.eta) if self.brownian and self.eta else None
        for s, step in zip(times[1:], plan, strict=True):
            hat = yield z
            z, known = step.advance(z, hat, known[:kept])
            if step.deviation and path is None:
                z = z.add_(random.normal(z, rng), alpha=step.deviation)
            elif step.deviation and path is not None:
                z = path.add(z, *step.noise)
            if isinstance(noise, Fixed):
                z = noise.keep(z, s, rng)
        yield z

    def plan(self, noise: Any, times: Sequence[Any]) -> list[Step]:
        """The coefficients of every step, from the noise's scales alone; kept with the noise."""
        return remembered(noise, (self, *times), lambda bound: self._planned(bound, times))

    def _planned(self, noise: Any, times: Sequence[Any]) -> list[Step]:
        at = points(noise, times)
        startable(self, self._row(), at[0])
        read = [reading(noise, self._row(), p, t) for p, t in zip(at[:-1], times[:-1], strict=True)]
        steps = [self._step(at, i, read[i]) for i in range(len(read))]
        if self.corrector:
            steps = [self._folded(at, i, step) for i, step in enumerate(steps)]
        return [
            step._replace(factors=scaled(step.factors, read[i::-1])) for i, step in enumerate(steps)
        ]

    def _row(self) -> Target:
        return noisy(self.eta) if self.eta else TARGETS[self.target]

    def _weights(self, start: Point, end: Point, nodes: Sequence[Point]) -> Any:
        return weights(self._row(), VARIABLES[self.variable], start, end, nodes, self.rule)

    def _step(self, at: list[Point], i: int, read: Reading) -> Step:
        """The step from the i-th point to the next, from the targets up to here."""
        here, there = at[i], at[i + 1]
        if there.sigma == 0 and self.target == "F":
            on_z, on_y = to_data(self._row(), here)
            return Step(read, on_z, (on_y,))
        on_z, factors = self._weights(here, there, at[i::-1][: self._count(at, i)])
        if not self.eta or there.sigma == 0:
            return Step(read, on_z, tuple(factors))
        lost = (there.ratio / here.ratio) ** (2 * self.eta**2)
        deviation = there.sigma * (1 - lost) ** 0.5
        return Step(
            read, on_z, tuple(factors), deviation, (self._row().phi(there), here.ratio, there.ratio)
        )

    def _count(self, at: list[Point], i: int) -> int:
        """How many targets predict the step from the i-th point: no more than steps are left."""
        noisy = at[i].sigma > self.cautious * (at[i].signal + at[i].sigma)
        return min(2 if noisy else self.order, self.order, len(at) - 1 - i)

    def _folded(self, at: list[Point], i: int, step: Step) -> Step:
        """The step, begun where the one before it should have ended, now that y is known here.

        That place is z, minus what the last step added, plus what it should have added.
        """
        if i == 0 or (at[i + 1].sigma == 0 and self.target == "F"):
            return step
        before, here = at[i - 1], at[i]
        added = self._weights(before, here, at[i - 1 :: -1][: self._count(at, i - 1)])[1]
        due = self._weights(before, here, at[i::-1][: self.corrector])[1]
        count = max(len(due), len(added) + 1, len(step.factors))
        total = [0.0] * count
        for j, factor in enumerate(step.factors):
            total[j] += factor
        for j, factor in enumerate(due):
            total[j] += step.on_z * factor
        for j, factor in enumerate(added):
            total[j + 1] -= step.on_z * factor
        return step._replace(factors=tuple(total))
