r"""Multistep solvers that keep their order to the last step.

The targets of the last calls, y_0 the newest, are interpolated by a polynomial and integrated, as
in `diffusion.sampler.exponential`,

    z_s = (phi_s/phi_t)·z_t + W·Σ_j w_j·y_j,    Σ_j w_j = 1

`Adams` takes fewer of them where the path ends, as high orders explode there; these do not, to walk
the paths of Diffusers' schedulers. For the variable "index", that of pseudo-numerical methods (Liu
et al. 2022, equations 12 and 13), steps count as even, and w_j is Adams' and Bashforth's. Pure
noise is epsilon and tells nothing of x, so a first step from there takes x from the network:
z_s = signal_s·x + (sigma_s/sigma_t)·z_t.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...base import Noise, Predict, Sampler
from ...errors import choose, require
from ...noise.fixed import Fixed
from ...noise.split import Split
from ...rng import Rng
from ...sampler.exponential import RULES, TARGETS, VARIABLES, Point, weights
from ...sampler.plan import points, refuse
from ...tree import State

BASHFORTH = (
    (Fraction(1),),
    (Fraction(3, 2), Fraction(-1, 2)),
    (Fraction(23, 12), Fraction(-16, 12), Fraction(5, 12)),
    (Fraction(55, 24), Fraction(-59, 24), Fraction(37, 24), Fraction(-9, 24)),
)


class Step(NamedTuple):
    """The coefficients of z, and of the targets, newest first."""

    on_z: float
    factors: tuple[float, ...]

    def __call__(self, z: Tensor, known: Sequence[Tensor]) -> Tensor:
        z = z * self.on_z
        for factor, target in zip(self.factors, known, strict=False):
            z = torch.add(z, target, alpha=factor)
        return z


class Multistep(Sampler):
    """Adams-Bashforth, of full order to the end.

    Args:
        target: "epsilon" or "x". variable, rule: as for `diffusion.sampler.Adams`; or the variable
            "index".
        order: targets that are interpolated, up to 4.
        short: runs of fewer steps than this do lower their order at the end: no more targets than
            steps are left. spare: so many steps more count as left.
        warm: the first step is taken twice, the second time by the mean of epsilon at its ends;
            only with the target "epsilon".
    """

    target: str = "epsilon"
    variable: str = "sigma"
    order: int = 4
    rule: str = "exact"
    short: int = 0
    spare: int = 0
    warm: bool = False

    def __post_init__(self) -> None:
        choose("Multistep.target", self.target, ("epsilon", "x"))
        choose("Multistep.variable", self.variable, (*VARIABLES, "index"))
        choose("Multistep.rule", self.rule, RULES)
        require(1 <= self.order <= 4, "Multistep.order", "1 to 4", self.order)
        known = not self.warm or self.target == "epsilon"
        require(known, "Multistep.warm", "the target 'epsilon'", self.target)

    def fits(self, noise: Noise[Any]) -> str | None:
        return refuse(self, noise)

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        plan: list[Step] = noise.clock.recent((self, *times), lambda: self._planned(noise, times))
        known: list[Tensor] = []
        for i, ((t, s), step) in enumerate(zip(pairwise(times), plan, strict=True)):
            hat: Any = predict(z, y, t)
            z, target = self._read(noise, z, t, hat)
            known = [target, *known[: self.order - 1]]
            moved = step(z, known)
            if i == 0 and noise.clock(t)[0] == 0:
                moved = moved + noise.clock(s)[0] * noise.predict(z, t, hat)
            elif i == 0 and self.warm and len(plan) > 1:
                _, second = self._read(noise, moved, s, predict(moved, y, s))
                moved = step(z, [(target + second) / 2])
            z = noise.keep(moved, s, rng) if isinstance(noise, Fixed) else moved
            yield z

    def _read(self, noise: Any, z: Tensor, t: Any, hat: Any) -> tuple[Tensor, Tensor]:
        """Where the step starts, and the target there; see `diffusion.noise.split`."""
        of = noise.predict if self.target == "x" else noise.predict_epsilon
        target = of(z, t, hat)
        if isinstance(hat, Split):
            signal, sigma = noise.clock(t)
            z = signal * noise.predict(z, t, hat) + sigma * noise.predict_epsilon(z, t, hat)
        return z, target

    def _planned(self, noise: Any, times: Sequence[Any]) -> list[Step]:
        at = points(noise, times)
        return [self._step(at, i) for i in range(len(at) - 1)]

    def _step(self, at: list[Point], i: int) -> Step:
        here, there, row = at[i], at[i + 1], TARGETS[self.target]
        if row.phi(here) == 0:  # pure noise: x is added by the caller
            return Step(there.sigma / here.sigma, ())
        nodes = at[i::-1][: self._count(at, i)]
        if self.variable == "index":
            on_z, (whole,) = weights(row, VARIABLES["sigma"], here, there, nodes[:1])
            return Step(on_z, tuple(whole * float(w) for w in BASHFORTH[len(nodes) - 1]))
        on_z, found = weights(row, VARIABLES[self.variable], here, there, nodes, self.rule)
        return Step(on_z, tuple(found))

    def _count(self, at: list[Point], i: int) -> int:
        """How many targets the step from the i-th point is taken with."""
        steps = len(at) - 1
        left = steps - i + self.spare if steps < self.short else self.order
        return min(self.order, i + 1, left)
