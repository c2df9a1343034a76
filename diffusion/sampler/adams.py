"""The exponential multistep integrator of which most fast samplers are cases."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..base import Noise, Predict, Sampler
from ..errors import InputError, choose, require
from ..noise.fixed import Fixed
from ..noise.gaussian import Gaussian
from ..parameter import Solve
from ..rng import Rng
from ..tree import State
from .exponential import TARGETS, VARIABLES, Point, weights


class Step(NamedTuple):
    """One step, as host numbers: of z and the network's output, and of z and known targets."""

    read: tuple[float, float]
    corrected: tuple[float, list[float]] | None
    predicted: tuple[float, list[float]]


class Adams(Sampler):
    """Integrate the probability-flow ODE with a polynomial through the last `order` targets.

    Args:
        target: what is interpolated: "x", "epsilon", "velocity" (of straight paths) or "F" (of
            Karras et al. 2022, at the noise's `sigma_data`).
        variable: in which: "log_snr", "sigma" (sigma/signal), "flow" (sigma/(signal + sigma)) or
            "angle" (atan of sigma/(sigma_data·signal)).
        order: targets used; fewer at the start, and at the end.
        corrector: repeat each step once the next network call is known. It costs no call.

    See `diffusion.sampler.exponential` for the mathematics, and sources.
    """

    target: str = "velocity"
    variable: str = "flow"
    order: int = 2
    corrector: bool = True

    def __post_init__(self) -> None:
        choose("Adams.target", self.target, TARGETS)
        choose("Adams.variable", self.variable, VARIABLES)
        require(1 <= self.order <= 6, "Adams.order", "1 to 6", self.order)

    def fits(self, noise: Noise[Any]) -> str | None:
        if isinstance(noise, Gaussian):
            return None
        return (
            f"{type(self).__name__} integrates an ODE, which {type(noise).__name__} has not. Use "
            "noise.Gaussian, or sampler=Ancestral()."
        )

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        known: deque[Tensor] = deque(maxlen=self.order + 1)
        before = z
        for (t, s), step in zip(pairwise(times), self.plan(noise, times), strict=True):
            known.appendleft(_sum(step.read[0], z, step.read[1:], [predict(z, y, t)[0]]))
            if step.corrected is not None:
                z = _sum(step.corrected[0], before, step.corrected[1], known)
            before, z = z, _sum(step.predicted[0], z, step.predicted[1], known)
            if isinstance(noise, Fixed):
                z = noise.keep(z, s, rng)
            yield z

    def plan(self, noise: Any, times: Sequence[Any]) -> list[Step]:
        """The coefficients of every step, from the noise's scales alone; kept with the noise."""
        bound = noise.inner if isinstance(noise, Fixed) else noise
        plans = vars(bound)["_plan"]
        key = self, bound.parameter, bound.sigma_data, *times
        if key not in plans:
            plans[key] = self._planned(bound, times)
        found: list[Step] = plans[key]
        return found

    def _planned(self, noise: Any, times: Sequence[Any]) -> list[Step]:
        scales = [noise.clock(t) for t in times]
        points = [Point(signal, sigma, noise.sigma_data) for signal, sigma in scales]
        if TARGETS[self.target].phi(points[0]) == 0:
            raise InputError(
                f"{self!r}: the target {self.target!r} can't start from pure noise, where "
                "signal is 0. Use the target 'velocity', 'F' or 'x', or start later."
            )
        return [self._step(points, i, noise.solve(t)) for i, t in enumerate(times[:-1])]

    def _step(self, points: list[Point], i: int, solved: Solve) -> Step:
        """The step from the i-th point to the next."""
        target, variable = TARGETS[self.target], VARIABLES[self.variable]
        past, here, there = points[i::-1], points[i], points[i + 1]
        p, q = target.row(here)
        on_z, on_hat = p * solved.xz + q * solved.ez, p * solved.xh + q * solved.eh
        if there.sigma == 0 and self.target == "F":
            # Order 1 in the angle is not exact for a single point: the data are where the network
            # says, seen from the z that it was shown.
            on_y = solved.xh / on_hat
            to_data = there.signal * (solved.xz - on_y * on_z), [there.signal * on_y]
            return Step((on_z, on_hat), None, to_data)
        corrected = None
        if self.corrector and i:
            nodes = past[: min(self.order, i) + 1]
            corrected = weights(target, variable, past[1], here, nodes)
        nodes = past[: min(self.order, len(points) - 1 - i)]
        return Step((on_z, on_hat), corrected, weights(target, variable, here, there, nodes))


def _sum(on_z: float, z: Tensor, factors: Sequence[float], targets: Iterable[Tensor]) -> Tensor:
    """on_z·z + Σ factor·target, without the terms that are 0."""
    total = z if on_z == 1 else z * on_z
    for factor, target in zip(factors, targets, strict=False):
        if factor != 0:
            total = torch.add(total, target, alpha=factor)
    return total
