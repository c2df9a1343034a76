"""What integrators share: plans of host numbers, and what follows one network call.

Asked about the state `shown` in a step that began at z, the network says hat; x and epsilon are
read from it, or from two outputs. Then, with targets y known from before, newest first,

    y_0  = on_shown·shown + on_x·hat_x + on_epsilon·hat_epsilon
    z    = z + on_gap·(hat_x - hat_epsilon)
    next = on_z·z + Σ_j factor_j·y_j

The gap is there because the state that two outputs make up, signal·x + sigma·epsilon, is not z
(CFG++, Chung et al. 2024). Targets are kept over their scale: the larger of on_shown and
on_x + on_epsilon is 1, which saves an operation, and the factors make up for it.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from ..base import Grid, Noise, Sampler
from ..errors import InputError, choose
from ..grid import Uniform
from ..noise.fixed import Fixed
from ..noise.gaussian import Gaussian
from ..noise.split import Split
from .exponential import RULES, TARGETS, VARIABLES, Point, Target

TINY = 1e-14
Known: TypeAlias = tuple[Tensor, ...]
Taken: TypeAlias = tuple[Tensor, Tensor, Known]
"""z, the next state, and the targets known by then."""


class Reading(NamedTuple):
    """How y_0 is read, over its scale."""

    on_shown: float
    on_x: float
    on_epsilon: float
    on_gap: float
    scale: float


def reading(noise: Any, target: Target, point: Point, t: Any) -> Reading:
    """The reading of what the network says at `t`."""
    (p, q), solved = target.row(point), noise.solve(t)
    on_shown, on_gap = p * solved.xz + q * solved.ez, point.signal * solved.xh
    return normal(on_shown, p * solved.xh, q * solved.eh, on_gap)


def normal(on_shown: float, on_x: float, on_epsilon: float, on_gap: float) -> Reading:
    """The same over the larger coefficient; rounding costs no operations."""
    scale = max(on_shown, on_x + on_epsilon, key=abs)
    on_shown = on_shown / scale if abs(on_shown / scale) > TINY else 0.0
    return Reading(on_shown, on_x / scale, on_epsilon / scale, on_gap, scale)


class Call(NamedTuple):
    """The numbers of one network call at the host time `t`."""

    t: Any
    read: Reading
    on_z: float
    factors: tuple[float, ...]
    take: Callable[[Tensor, Tensor, Any, Known], Taken]
    """`take(z, shown, hat, known)`"""

    def alone(self) -> "Call":
        """The same where z itself was shown, and no target is kept: both sums are one."""
        (on_shown, on_x, on_epsilon, on_gap, _), on_z, f = self.read, self.on_z, self.factors[0]
        on_x, on_epsilon = f * on_x + on_z * on_gap, f * on_epsilon - on_z * on_gap
        if abs(on_x + on_epsilon) < TINY:
            return self
        read = normal(0.0, on_x, on_epsilon, 0.0)
        call = called(self.t, (read,), on_z + f * on_shown, (1.0,))
        return call._replace(take=_lone(read, call.on_z))


def called(t: Any, reads: Sequence[Reading], on_z: float, factors: Sequence[float]) -> Call:
    """A call from how it, and those before it, newest first, are read, and from its sum."""
    on_z = 1.0 if abs(on_z - 1) < TINY else on_z
    own = tuple(f * read.scale for f, read in zip(factors, reads, strict=False))
    return Call(t, reads[0], on_z, own, _taken(reads[0], on_z, own))


def _taken(read: Reading, on_z: float, factors: Sequence[float]) -> Any:
    """What follows a call, in as few operations as that takes."""
    on_shown, on_hat = read.on_shown, read.on_x + read.on_epsilon
    unread, unscaled, ahead = on_shown == 0, on_shown == 1, on_z == 1
    (first, factor), *others = [(i, f) for i, f in enumerate(factors) if f != 0] or [(0, 0.0)]

    def take(z: Tensor, shown: Tensor, hat: Any, known: Known) -> Taken:
        if isinstance(hat, Split):
            x, epsilon = hat.x[0], hat.epsilon[0]
            target = shown * on_shown + x * read.on_x + epsilon * read.on_epsilon
            z = z + (x - epsilon) * read.on_gap
        elif unread:
            target = hat[0]
        elif unscaled:
            target = shown.add(hat[0], alpha=on_hat)
        else:
            target = hat[0].add(shown, alpha=on_shown)
        known = target, *known
        # The caller's z stays as it is; a sum of our own is added to in place.
        y = known[first]
        total = z.add(y, alpha=factor) if ahead else (z * on_z).add_(y, alpha=factor)
        for i, f in others:
            total.add_(known[i], alpha=f)
        return z, total, known

    return take


def _lone(read: Reading, on_z: float) -> Any:
    """The same where that is on_z·z and the network's output."""
    scale, ahead = read.scale, on_z == 1

    def take(z: Tensor, shown: Tensor, hat: Any, known: Known) -> Taken:
        if isinstance(hat, Split):
            said = hat.x[0] * read.on_x + hat.epsilon[0] * read.on_epsilon
        else:
            said = hat[0]
        total = z.add(said, alpha=scale) if ahead else (z * on_z).add_(said, alpha=scale)
        return z, total, known

    return take


def advance(
    row: Tensor, z: Tensor, shown: Tensor, x: Tensor, epsilon: Tensor, known: Known
) -> Taken:
    """A `Call` with its numbers in a tensor, a row of `table`, so that one graph takes every call.

    `torch.compile(advance, fullgraph=True)` is not compiled again for another grid or number of
    steps, nor for another sampler that keeps as many targets.

    Args:
        x, epsilon: the outputs that these are read from, `hat[0]` and `hat[0]` if there is one.
        known: targets, newest first, as many as the plan keeps; zeros before the first call.
    """
    on_shown, on_x, on_epsilon, on_gap, on_z, *factors = row.unbind()
    known = on_shown * shown + on_x * x + on_epsilon * epsilon, *known[:-1]
    z = z + on_gap * (x - epsilon)
    total = on_z * z
    for factor, target in zip(factors, known, strict=True):
        total = total + factor * target
    return z, total, known


class Step(NamedTuple):
    """Noise before it (a factor of z, a deviation), network calls, and noise after it, at `s`."""

    s: Any
    calls: tuple[Call, ...]
    churn: tuple[float, float] | None = None
    deviation: float = 0.0
    path: tuple[float, float, float] = (0.0, 0.0, 0.0)


def table(plan: Sequence[Step], kept: int, like: Tensor) -> Tensor:
    """The numbers of every call of a plan that keeps so many targets, a row each, for `advance`."""
    calls = [call for step in plan for call in step.calls]
    rows = [[*c.read[:4], c.on_z, *c.factors, *[0.0] * (kept - len(c.factors))] for c in calls]
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    return torch.tensor(rows, dtype=dtype, device=like.device)


class Integrator(Sampler):
    """Base of those that plan all their coefficients ahead; subclasses have a target, and so on."""

    def __post_init__(self) -> None:
        for name, options in (("target", TARGETS), ("variable", VARIABLES), ("rule", RULES)):
            choose(f"{type(self).__name__}.{name}", getattr(self, name), options)

    @property
    @abstractmethod
    def kept(self) -> int:
        """How many targets, the newest included, a call may read."""

    @abstractmethod
    def planned(self, noise: Any, times: Sequence[Any]) -> list[Step]:
        """The coefficients of every step, from the noise's scales alone."""

    def plan(self, noise: Any, times: Sequence[Any]) -> list[Step]:
        """The same, kept with the noise: a second sampling only looks it up."""
        bound, target = noise.inner if isinstance(noise, Fixed) else noise, vars(self)["target"]
        if TARGETS[target].phi(*points(bound, times[:1])) == 0:
            raise InputError(
                f"{self!r}: the target {target!r} can't start from pure noise, where signal is 0. "
                "Use the target 'velocity', 'F' or 'x', or start later."
            )
        key = self, bound.parameter, bound.sigma_data, type(times[0]), *times
        found: list[Step] = bound.clock.recent(key, lambda: self.planned(bound, times))
        return found

    def fits(self, noise: Noise[Any]) -> str | None:
        return refuse(self, noise)

    def grid(self, steps: int) -> Grid | None:
        return Uniform(steps, "flow", 1.5)


def points(noise: Any, times: Sequence[Any]) -> list[Point]:
    """Where the process is at host times."""
    scales = (noise.clock(t) for t in times)
    return [Point(signal, sigma, noise.sigma_data) for signal, sigma in scales]


def refuse(sampler: Any, noise: Noise[Any]) -> str | None:
    """Why an integrator can't drive `noise`."""
    one, other = type(sampler).__name__, type(noise).__name__
    reason = f"{one} integrates an ODE, which {other} has not."
    fix = "Use noise.Gaussian, or sampler=Ancestral()."
    return None if isinstance(noise, Gaussian) else f"{reason} {fix}"
