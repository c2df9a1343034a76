"""The exponential multistep integrator of which most fast samplers are cases."""

from collections.abc import Generator, Iterator, Sequence
from itertools import pairwise, zip_longest
from typing import Any

from torch import Tensor

from .. import rng as random
from ..base import Noise, Predict
from ..errors import require
from ..noise.fixed import Fixed
from ..noise.joint import Joint
from ..rng import Rng
from ..tree import State
from .brownian import Brownian
from .exponential import TARGETS, VARIABLES, Point, Target, noisy, weights
from .lockstep import lockstep
from .plan import Integrator, Known, Step, called, points, reading, refuse
from .settings import whole, within


class Adams(Integrator):
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
        super().__post_init__()
        name = type(self).__name__
        whole(f"{name}.order", self.order, 1, 6)
        whole(f"{name}.corrector", self.corrector, 0, 7)
        require(self.corrector != 1, f"{name}.corrector", "0, or 2 to 7 targets", self.corrector)
        within(f"{name}.cautious", self.cautious, 0, 1)
        within(f"{name}.eta", self.eta, 0)
        silent = self.eta == 0 or self.target == "x"
        require(silent, f"{name}.eta", "0, or more with the target 'x'", self.eta)

    @property
    def kept(self) -> int:
        return max(self.order + bool(self.corrector), self.corrector)

    def fits(self, noise: Noise[Any]) -> str | None:
        parts = noise.parts.values() if isinstance(noise, Joint) else (noise,)
        reasons = [refuse(self, part) for part in parts]
        return None if None in reasons else refuse(self, noise)

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        if isinstance(noise, Joint):
            yield from lockstep(self.walk, noise, predict, z, y, times, rng)
            return
        walk = self.walk(noise, z, times, rng)
        next(walk)
        send = walk.send
        for t in times[:-1]:
            z = send(predict(z, y, t))
            yield z

    def walk(
        self, noise: Any, z: Tensor, times: Sequence[Any], rng: Rng
    ) -> Generator[Tensor, Any, None]:
        """A coroutine that yields a state, and is sent what the network says of it."""
        plan, keep = self.plan(noise, times), noise.keep if isinstance(noise, Fixed) else None
        path = Brownian(z, rng, self.eta) if self.brownian and self.eta else None
        known: Known = ()
        before = self.kept - 1
        for s, (call,), _, deviation, increment in plan:
            hat = yield z
            _, z, known = call.take(z, z, hat, known[:before])
            if deviation and path is None:
                z = z.add_(random.normal(z, rng), alpha=deviation)
            elif deviation and path is not None:
                z = path.add(z, *increment)
            if keep is not None:
                z = keep(z, s, rng)
        yield z

    def planned(self, noise: Any, times: Sequence[Any]) -> list[Step]:
        at = points(noise, times)
        read = [reading(noise, self._row(), p, t) for p, t in zip(at, times[:-1], strict=False)]
        steps = []
        for i, (here, there) in enumerate(pairwise(at)):
            call = called(times[i], read[i::-1], *self._sum(at, i))
            calls = (call.alone() if self.kept == 1 else call,)
            steps.append(Step(times[i + 1], calls, None, *self._noise(here, there)))
        return steps

    def _row(self) -> Target:
        return noisy(self.eta) if self.eta else TARGETS[self.target]

    def _noise(self, here: Point, there: Point) -> tuple[float, tuple[float, float, float]]:
        """What a step draws: its deviation, and the path's norm and ratios."""
        if not self.eta or there.sigma == 0:
            return 0.0, (0.0, 0.0, 0.0)
        lost = (there.ratio / here.ratio) ** (2 * self.eta**2)
        path = self._row().phi(there), here.ratio, there.ratio
        return there.sigma * (1 - lost) ** 0.5, path

    def _sum(self, at: list[Point], i: int) -> tuple[float, list[float]]:
        """The coefficients of z and of targets, newest first, of the step from the i-th point.

        With a corrector it begins where the step before it should have ended, now that y is known
        here: at z, minus what that step added, plus what it should have added.
        """
        here, there = at[i], at[i + 1]
        on_z, total = self._weights(here, there, at[i::-1][: self._count(at, i)])
        if not self.corrector or i == 0 or (there.sigma == 0 and self.target == "F"):
            return on_z, total
        added = self._weights(at[i - 1], here, at[i - 1 :: -1][: self._count(at, i - 1)])[1]
        due = self._weights(at[i - 1], here, at[i::-1][: self.corrector])[1]
        moved = zip_longest(total, due, [0.0, *added], fillvalue=0.0)
        return on_z, [now + on_z * (right - wrong) for now, right, wrong in moved]

    def _weights(
        self, start: Point, end: Point, nodes: Sequence[Point]
    ) -> tuple[float, list[float]]:
        return weights(self._row(), VARIABLES[self.variable], start, end, nodes, self.rule)

    def _count(self, at: list[Point], i: int) -> int:
        """How many targets predict the step from the i-th point: no more than steps are left."""
        noisy = at[i].sigma > self.cautious * (at[i].signal + at[i].sigma)
        return min(2 if noisy else self.order, self.order, len(at) - 1 - i)
