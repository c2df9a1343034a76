"""What integrators share: plans of host numbers, and the few operations a step consists of."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from torch import Tensor

from ..base import Noise
from ..errors import InputError
from ..noise.fixed import Fixed
from ..noise.gaussian import Gaussian
from ..noise.split import Split
from .exponential import Point, Target

T = TypeVar("T")
TINY = 1e-14


class Reading(NamedTuple):
    """A target from the state and the network's output: scale·(on_z·z + (on_x + on_epsilon)·hat).

    What is read, and kept, is the bracket: the larger of its coefficients is 1, which saves an
    operation, and sums of targets have the scales in their factors.

    Where x and epsilon come from two outputs, the state they make up is not z: the step starts
    from signal·x + sigma·epsilon (CFG++, Chung et al. 2024), which is `on_gap` away for a gap of 1
    between the outputs.
    """

    on_z: float
    on_x: float
    on_epsilon: float
    on_gap: float
    scale: float

    def __call__(self, z: Tensor, hat: Tensor | Split) -> tuple[Tensor, Tensor]:
        """Where the step starts, and the target there, over its scale."""
        if isinstance(hat, Split):
            one, two = hat.x[0], hat.epsilon[0]
            target = combine(self.on_z, z, (self.on_x, self.on_epsilon), (one, two))
            return combine(1.0, z, (self.on_gap, -self.on_gap), (one, two)), target
        said = hat[0]
        if self.on_z == 1:
            return z, z.add(said, alpha=self.on_x + self.on_epsilon)
        return z, said.add(z, alpha=self.on_z) if self.on_z else said


def reading(noise: Any, target: Target, point: Point, t: Any) -> Reading:
    """How the target is read off what the network says at `t`; rounding costs no operations."""
    (p, q), solved = target.row(point), noise.solve(t)
    on_z, on_x, on_epsilon = p * solved.xz + q * solved.ez, p * solved.xh, q * solved.eh
    scale = max(on_z, on_x + on_epsilon, key=abs)
    on_z, on_x, on_epsilon = on_z / scale, on_x / scale, on_epsilon / scale
    on_gap = point.signal * solved.xh
    return Reading(on_z if abs(on_z) > TINY else 0.0, on_x, on_epsilon, on_gap, scale)


def scaled(factors: Sequence[float], reads: Iterable[Reading]) -> tuple[float, ...]:
    """The factors of targets that are kept over their scales."""
    return tuple(f * read.scale for f, read in zip(factors, reads, strict=False))


def combine(on_z: float, z: Tensor, factors: Sequence[float], targets: Iterable[Tensor]) -> Tensor:
    """on_z·z + Σ factor·target, without the terms that are 0: one operation for each term."""
    total, own = (z, False) if on_z == 1 else (z * on_z, True)
    for factor, target in zip(factors, targets, strict=False):
        if factor != 0:
            # The caller's z stays as it is; a sum of our own is added to in place.
            add = total.add_ if own else total.add
            total, own = add(target, alpha=factor), True
    return total


def points(noise: Any, times: Sequence[Any]) -> list[Point]:
    """Where the process is at host times."""
    scales = (noise.clock(t) for t in times)
    return [Point(signal, sigma, noise.sigma_data) for signal, sigma in scales]


def remembered(noise: Any, key: tuple[Any, ...], make: Callable[[Any], T]) -> T:
    """`make(noise)`, kept with the bound noise: a second sampling only looks it up."""
    bound = noise.inner if isinstance(noise, Fixed) else noise
    plans = vars(bound)["_plan"]
    key = *key, bound.parameter, bound.sigma_data
    if key not in plans:
        plans[key] = make(bound)
    found: T = plans[key]
    return found


def to_data(target: Target, here: Point) -> tuple[float, float]:
    """The coefficients of z and y of a step to the x that the network says.

    Order 1 goes there for every target but F, which is not exact for a single point.
    """
    p, q = target.row(here)
    det = p * here.sigma - q * here.signal
    return -q / det, here.sigma / det


def refuse(sampler: Any, noise: Noise[Any]) -> str | None:
    """Why an integrator can't drive `noise`."""
    if isinstance(noise, Gaussian):
        return None
    name = type(sampler).__name__
    return (
        f"{name} integrates an ODE, which {type(noise).__name__} has not. Use noise.Gaussian, or "
        "sampler=Ancestral()."
    )


def startable(sampler: Any, target: Target, first: Point) -> None:
    """Raise where a target knows nothing of pure noise."""
    if target.phi(first) == 0:
        raise InputError(
            f"{sampler!r}: the target {sampler.target!r} can't start from pure noise, where signal "
            "is 0. Use the target 'velocity', 'F' or 'x', or start later."
        )
