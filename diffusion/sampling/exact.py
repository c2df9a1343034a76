"""Errors of samplers on laws whose denoiser is known, and where their ODE leads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from .. import sampler as samplers
from .. import schedule
from ..base import Sampler
from ..exact import Mixture, beds
from ..noise.gaussian import Gaussian
from ..sampler.tableau import TABLEAUX

HIGH = 80.0
"""sigma/signal at which they begin, on straight paths; as in Karras et al. 2022."""
TOP = HIGH / (1 + HIGH)
PROCESS = Gaussian("velocity").bind(schedule.Flow(1000))
SIZE = 64


def on_laws(
    one: Sampler, calls: Sequence[int]
) -> tuple[tuple[int, ...], dict[str, tuple[float, ...]], float]:
    """The calls that a sampler can make, its errors there by law, and its order of convergence.

    Errors are root mean squares, from sigma/signal = 80 to the data, on even steps of u^1.5. The
    order is measured between 32 and 64 steps from 49 to 1/49, where it shows.
    """
    own = tuple(c for c in calls if c >= stages(one))
    errors = {
        name: tuple(_error(one, *known, _even(c // stages(one))) for c in own)
        for name, known in _known().items()
    }
    law, z, _ = _known()["three"]
    ends = law.flow(z, (0.02, 0.98), (0.98, 0.02))
    coarse, fine = (
        _error(one, law, z, ends, [0.02 + 0.96 * (1 - i / n) ** 1.5 for i in range(n + 1)])
        for n in (32, 64)
    )
    return own, errors, math.log2(coarse / fine)


def stages(one: Sampler) -> int:
    """Network calls in a step."""
    tableau = getattr(one, "tableau", None)
    return 1 if tableau is None else len(TABLEAUX[tableau].stages) + 1


def mean(values: Sequence[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(math.log(max(v, 1e-12)) for v in values) / len(values))


def rms(values: Tensor) -> float:
    """The root mean square."""
    return float(values.double().square().mean().sqrt())


@cache
def _known() -> dict[str, tuple[Mixture, Tensor, Tensor]]:
    """Each law, starts, and where the ODE leads from them."""
    found = {}
    for name, law in beds().items():
        draws = torch.Generator().manual_seed(0)
        z = torch.randn(SIZE, *law.shape, dtype=torch.float64, generator=draws)
        z = z * math.hypot(1 - TOP, TOP)
        if law.shape == (1,):
            ends = law.flow(z, (1 - TOP, TOP))
        else:
            ends = _end(samplers.RK4(), law, z, _even(100, 2.0))
        found[name] = law, z, ends
    return found


def _error(one: Sampler, law: Mixture, z: Tensor, ends: Tensor, times: list[float]) -> float:
    return rms(_end(one, law, z, times) - ends)


def _end(one: Sampler, law: Mixture, z: Tensor, times: list[float]) -> Tensor:
    *_, end = one(PROCESS, law.oracle(PROCESS), z, torch.zeros(SIZE).long(), times, None)
    found: Tensor = end
    return found


def _even(steps: int, power: float = 1.5) -> list[float]:
    return [TOP * (1 - i / steps) ** power for i in range(steps + 1)]
