"""How far samplers end from a model's own fine trajectory, by the number of network calls."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import sampler as samplers
from .. import schedule, tree
from ..base import Guidance, Sampler
from ..errors import InputError, require
from ..exact import beds
from ..grid import Uniform
from ..noise.gaussian import Gaussian
from ..sampler.tableau import TABLEAUX
from .grid import grid

if TYPE_CHECKING:
    from ..model import Model

SOLVERS: dict[str, Sampler] = {
    "Adams": samplers.Adams(), "Adams 2": samplers.Adams(order=2),
    "Adams F": samplers.Adams("F", "angle"), "FlowAdams": samplers.FlowAdams(),
    "DDIM": samplers.DDIM(), "Euler": samplers.Euler(), "LMS": samplers.LMS(),
    "DEIS": samplers.DEIS(), "DPMSolverPP": samplers.DPMSolverPP(),
    "DPMSolverPP 3M": samplers.DPMSolverPP(order=3), "RES": samplers.RES(),
    "UniPC": samplers.UniPC(), "Heun": samplers.Heun(), "DPMSolverPP2S": samplers.DPMSolverPP2S(),
    "RES2S": samplers.RES2S(), "RES3S": samplers.RES3S(), "RK4": samplers.RK4(),
}  # fmt: skip
"""The deterministic samplers by name."""


@dataclass
class Compared:
    """Errors of one sampler by network calls, on the model and on a law with a known ODE."""

    calls: tuple[int, ...]
    model: tuple[float, ...]
    bed: tuple[float, ...]
    order: float
    """Measured on the bed, between 64 and 128 steps."""


@dataclass
class Reference:
    """Starts, conditions, and where the fine trajectory leads."""

    z: State
    y: State
    ends: State
    guidance: Guidance | None

    def error(self, model: Model[Any], one: Sampler, times: Sequence[Any]) -> Tensor:
        """For each sample the distance to its end, relative to the size of ends."""
        ends = _end(model, one, times, self.z, self.y, self.guidance)
        parts = []
        for found, goal in zip(tree.leaves(ends), tree.leaves(self.ends), strict=True):
            if goal.is_floating_point():
                gap = (found - goal).double().flatten(1).square().mean(1)
                parts.append(gap / goal.double().square().mean())
        return torch.stack(parts).mean(0).sqrt()


State = Any


def reference(
    model: Model[Any], y: Any, batch: int | None, guidance: Guidance | None, seed: int, fine: int
) -> Reference:
    """The ends of a trajectory of `fine` steps, from drawn starts."""
    _gaussian(model)
    one = samplers.Adams()
    steps = fine if model.time.continuous else min(fine, model.schedule.steps)
    z = next(iter(model.stream(y, batch, 1, seed=seed, sampler=one, guidance=guidance)))
    ends = _end(model, one, grid(model, Uniform(steps, "flow", 1.5)), z, y, guidance)
    return Reference(z, y, ends, guidance)


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

    A sampler that can't start from the model's noise is left out.
    """
    require(min(calls) >= 1, "compare.calls", "numbers of at least 1", list(calls))
    known = reference(model, y, batch, guidance, seed, 10 * max(calls))
    found: dict[str, Compared] = {}
    for name, one in solvers.items():
        counts = tuple(c for c in calls if c // stages(one) >= 1)
        try:
            errors = [_rms(known.error(model, one, _times(model, one, c))) for c in counts]
        except InputError:
            continue
        found[name] = Compared(counts, tuple(errors), *_on_bed(one, counts))
    return dict(sorted(found.items(), key=lambda item: item[1].model[len(item[1].model) // 2]))


def stages(one: Sampler) -> int:
    """Network calls in a step."""
    tableau = getattr(one, "tableau", None)
    return 1 if tableau is None else len(TABLEAUX[tableau].stages) + 1


def _times(model: Model[Any], one: Sampler, calls: int) -> list[Any]:
    return grid(model, calls // stages(one), one)


def _on_bed(one: Sampler, calls: Sequence[int]) -> tuple[tuple[float, ...], float]:
    """Errors at `calls`, and the order, on a mixture on the line from sigma/signal = 49 to 1/49."""
    bed, process = beds()["three"], Gaussian("velocity").bind(schedule.Flow(1000))
    draws = torch.Generator().manual_seed(0)
    z = torch.randn(128, 1, dtype=torch.float64, generator=draws)
    y, exact = torch.zeros(128, dtype=torch.long), bed.flow(z, (0.02, 0.98), (0.98, 0.02))

    def error(steps: int) -> float:
        times = [0.02 + 0.96 * (1 - i / steps) ** 1.5 for i in range(steps + 1)]
        *_, end = one(process, bed.oracle(process), z, y, times, None)
        return _rms((end - exact).flatten())

    order = math.log2(error(64) / error(128))
    return tuple(error(max(c // stages(one), 1)) for c in calls), order


def _end(
    model: Model[Any], one: Sampler, times: Sequence[Any], z: State, y: Any, guidance: Any
) -> State:
    states = model.stream(y, None, times, z=z, sampler=one, guidance=guidance, seed=0)
    return deque(states, maxlen=1)[0]


def _gaussian(model: Model[Any]) -> None:
    reason = samplers.Adams().fits(model.noise)
    if reason is not None:
        raise InputError(f"comparing solvers: {reason}")


def _rms(values: Tensor) -> float:
    return float(values.double().square().mean().sqrt())
