"""How far samplers end from a model's own fine trajectory, by the number of network calls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import sampler as samplers
from .. import tree
from ..base import Guidance, Sampler
from ..errors import InputError, require
from ..grid import Uniform
from ..grid.inverse import ratio
from ..sampler.exponential import TARGETS, Point
from ..tree import State
from .condition import conditions
from .exact import HIGH, mean, on_laws, rms, stages
from .grid import clock, grid
from .network import weights

if TYPE_CHECKING:
    from ..model import Model

SOLVERS: dict[str, Sampler] = {
    "Adams": samplers.Adams(), "Adams 2": samplers.Adams(order=2),
    "Adams F": samplers.Adams("F", "angle"), "FlowAdams": samplers.FlowAdams(),
    "DDIM": samplers.DDIM(), "Euler": samplers.Euler(), "LMS": samplers.LMS(),
    "DEIS": samplers.DEIS(), "DPMSolverPP": samplers.DPMSolverPP(),
    "DPMSolverPP 3M": samplers.DPMSolverPP(order=3), "RES": samplers.RES(),
    "UniPC": samplers.UniPC(), "UniPC 3": samplers.UniPC(order=3, corrector=4),
    "Heun": samplers.Heun(), "Midpoint": samplers.RungeKutta("midpoint"),
    "DPMSolverPP2S": samplers.DPMSolverPP2S(), "RES2S": samplers.RES2S(),
    "RES3S": samplers.RES3S(), "RK4": samplers.RK4(),
    "Adaptive 0.01": samplers.Adaptive(1e-2, 1e-2), "Adaptive 0.001": samplers.Adaptive(),
    "SDE": samplers.SDE(), "Ancestral": samplers.Ancestral(),
}  # fmt: skip
"""The samplers of Gaussian noise by name."""
TINY = 1e-30
CHANCE = (
    "draws noise, so its samples need not end where the ODE does; `diffusion evaluate` and "
    "benchmarks/trained.py measure their law"
)


@dataclass
class Compared:
    """Errors of one sampler by network calls.

    Attributes:
        calls, model: network calls on the model, and the errors there, relative to its samples.
        bed_calls, beds: the same on each law of `diffusion.exact.beds`, where the ODE is known;
            root mean square errors.
        order: measured on the first of them, between 32 and 64 steps.
        late: whether it began at sigma/signal = 80, where the fine trajectory is there.
        reason: why numbers are missing, if any are.
    """

    calls: tuple[float, ...] = ()
    model: tuple[float, ...] = ()
    bed_calls: tuple[int, ...] = ()
    beds: dict[str, tuple[float, ...]] = field(default_factory=dict)
    order: float = math.nan
    late: bool = False
    reason: str = ""

    @property
    def bed(self) -> tuple[float, ...]:
        """The geometric mean of the beds."""
        return tuple(mean(errors) for errors in zip(*self.beds.values(), strict=True))


@dataclass
class Reference:
    """Starts and conditions, and the fine trajectory: its state at the time `late`, and its end."""

    z: State
    y: State
    late: Any
    late_z: State
    ends: State
    guidance: Guidance | None
    steps: int

    def error(self, model: Model[Any], one: Sampler, times: Sequence[Any]) -> Tensor:
        """For each sample the distance to its end, relative to the size of ends."""
        z = self.late_z if times[0] == self.late else self.z
        *_, ends = _states(model, one, times, z, self.y, self.guidance)
        parts = []
        for found, goal in zip(tree.leaves(ends), tree.leaves(self.ends), strict=True):
            if goal.is_floating_point():
                gap = (found - goal).double().flatten(1).square().mean(1)
                parts.append(gap / goal.double().square().mean().clamp_min(TINY))
        return torch.stack(parts).mean(0).sqrt()


def reference(
    model: Model[Any], y: Any, batch: int | None, guidance: Guidance | None, seed: int, fine: int
) -> Reference:
    """The ends of a trajectory of `fine` steps, from drawn starts."""
    if samplers.Adams().fits(model.noise) is not None:
        raise InputError(
            f"comparing solvers: they are compared by where the ODE leads, and "
            f"{type(model.noise).__name__} has none. Its samplers (Ancestral, TauLeap, "
            "Trapezoidal, ...) differ in the law of what they draw: see benchmarks/discrete.py, "
            'and "Tokens" in docs/samplers.md.'
        )
    one, continuous, late_z = samplers.Adams(), model.time.continuous, None
    y, _ = conditions(model, y, batch, guidance)
    z = next(iter(model.stream(y, None, 1, seed=seed, sampler=one, guidance=guidance)))
    begin = _late_grid(model, 1)[0]
    steps = fine if continuous else min(fine, model.schedule.steps)
    first, *even = grid(model, Uniform(steps, "flow", 1.5))
    # Two times that nearly coincide would cost the integrator its digits.
    apart = [t for t in even if abs(t - begin) > (1e-2 / steps if continuous else 0)]
    path = sorted({first, begin, *apart}, reverse=True)
    state = z
    for t, state in zip(path, _states(model, one, path, z, y, guidance), strict=True):
        late_z = state if t == begin else late_z
    return Reference(z, y, begin, late_z, state, guidance, len(path) - 1)


def compare(
    model: Model[Any],
    calls: Sequence[int] = (5, 8, 12, 20, 32),
    y: Any = None,
    batch: int | None = 16,
    guidance: Guidance | None = None,
    seed: int = 0,
    solvers: Mapping[str, Sampler] = SOLVERS,
) -> dict[str, Compared]:
    """Every sampler at every number of calls, each on the grid it prefers; best first.

    The rank is by the geometric mean over the calls that all have. Where a sampler can't be run,
    it has no numbers, but a reason.
    """
    counts = sorted(set(calls))
    require(bool(counts) and counts[0] >= 1, "compare.calls", "numbers of at least 1", list(calls))
    known = reference(model, y, batch, guidance, seed, 10 * counts[-1])
    found = {name: _compared(model, known, one, counts) for name, one in solvers.items()}
    if not any(one.calls for one in found.values()):
        told = "; ".join(dict.fromkeys(one.reason for one in found.values()))
        raise InputError(f"comparing solvers: none can be run. {told}")
    return ranked(found, counts)


def ranked(found: Mapping[str, Compared], calls: Sequence[int]) -> dict[str, Compared]:
    """Best first, by the calls that all have which were run at any of them."""
    errors = {name: dict(zip(one.calls, one.model, strict=True)) for name, one in found.items()}
    counted = [own for own in errors.values() if own.keys() & set(calls)]
    shared = [c for c in calls if all(c in own for own in counted)] or calls

    def key(name: str) -> tuple[bool, float]:
        own = [errors[name].get(c, math.inf) for c in shared]
        return not found[name].calls, mean(own)

    return {name: found[name] for name in sorted(found, key=key)}


def times(model: Model[Any], one: Sampler, calls: int) -> list[Any]:
    """What a sampler visits for a number of calls: the grid it prefers.

    Those whose target knows nothing of pure noise have as many steps from sigma/signal = 80 on.
    """
    steps = calls // stages(one)
    require(steps >= 1, type(one).__name__, f"{stages(one)} network calls, which are a step", calls)
    return _late_grid(model, steps) if late(model, one) else grid(model, steps, one)


def late(model: Model[Any], one: Sampler) -> bool:
    """Whether a sampler's target knows nothing of the model's first state; see `startable`."""
    target = TARGETS.get(getattr(one, "target", ""))
    signal, sigma = clock(model)(1.0 if model.time.continuous else model.schedule.steps)
    return target is not None and target.phi(Point(float(signal), float(sigma), 1.0)) == 0


def _compared(model: Model[Any], known: Reference, one: Sampler, counts: Sequence[int]) -> Compared:
    if _draws(one):
        return Compared(reason=CHANCE)
    adaptive = isinstance(one, samplers.Adaptive)
    found = Compared() if adaptive else Compared((), (), *on_laws(one, counts))
    found.reason, found.late = one.fits(model.noise) or "", late(model, one)
    errors: dict[float, float] = {}
    for count in () if found.reason else (1,) if adaptive else counts:
        try:
            made, error = _on_model(model, known, one, count)
            errors[made if adaptive else count] = error
        except InputError as told:
            found.reason = found.reason or (str(told) if adaptive else f"at {count} calls: {told}")
    found.calls, found.model = tuple(errors), tuple(errors.values())
    return found


def _on_model(model: Model[Any], known: Reference, one: Sampler, count: int) -> tuple[int, float]:
    """The calls that were made for a budget of `count`, and the error."""
    made, visited = 0, times(model, one, count)

    def called(*_: object) -> None:
        nonlocal made
        made += 1

    hook = weights(model)[0].register_forward_pre_hook(called)
    try:
        error = rms(known.error(model, one, visited))
    finally:
        hook.remove()
    return made, error


def _draws(one: Sampler) -> bool:
    """Whether its steps draw noise."""
    amounts = (getattr(one, name, 0) for name in ("eta", "churn"))
    return isinstance(one, samplers.Ancestral) or any(amount > 0 for amount in amounts)


def _late_grid(model: Model[Any], steps: int) -> list[Any]:
    """From sigma/signal = 80, or the first time of some signal."""
    own, top, continuous = clock(model), model.schedule.steps, model.time.continuous
    if top == 1 and not continuous:
        return grid(model, steps)
    high = HIGH if continuous else min(HIGH, ratio(own, top - 1))
    return Uniform(steps, "flow", 1.5, high=high).times(own, continuous)


def _states(
    model: Model[Any], one: Sampler, times: Sequence[Any], z: State, y: Any, guidance: Any
) -> Any:
    return model.stream(y, None, times, z=z, sampler=one, guidance=guidance, seed=0)
