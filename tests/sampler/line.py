"""A mixture on the line, where the ODE's endpoints are known in closed form."""

from typing import Any

import torch
from torch import Tensor

from diffusion import noise, schedule
from diffusion.base import Sampler
from diffusion.exact import Mixture

BED = Mixture(
    torch.tensor([0.3, 0.5, 0.2]),
    torch.tensor([[-1.0], [0.4], [1.2]], dtype=torch.float64),
    torch.tensor([0.15, 0.3, 0.2], dtype=torch.float64),
)
Y = torch.zeros(128, dtype=torch.long)
Z = torch.randn(128, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
EXACT = BED.flow(Z, (0.02, 0.98), (0.98, 0.02))


def flow(one: Sampler, count: int, parameter: str = "velocity", rng: Any = None) -> Tensor:
    """The end of `count` steps, from a little signal down to a little noise."""
    process = noise.Gaussian(parameter).bind(schedule.Flow(1000))
    times = [0.02 + 0.96 * (1 - i / count) ** 1.5 for i in range(count + 1)]
    process.prepare(times)
    *_, last = one(process, BED.oracle(process), Z, Y, times, rng)
    return last


def error(one: Sampler, count: int, parameter: str = "velocity") -> float:
    """Root mean square of the difference to the exact endpoints."""
    return float((flow(one, count, parameter) - EXACT).pow(2).mean().sqrt())


SMOOTH = Mixture(
    torch.tensor([0.4, 0.6]),
    torch.tensor([[-0.5], [0.6]], dtype=torch.float64),
    torch.tensor([0.6, 0.7], dtype=torch.float64),
)
"""Wide components, so that few hundred steps are in the regime where the order shows."""


def graded_error(one: Sampler, count: int) -> float:
    """The error on steps that begin and end tiny, like 1/count².

    Where a multistep method starts, it knows one target, and before the data it is left with one:
    both make an error of the square of a step. Here that is count^-4, below what orders up to 4
    leave.
    """
    process = noise.Gaussian("velocity").bind(schedule.Flow(1000))
    even = [1 - i / count for i in range(count + 1)]
    times = [0.1 + 0.8 * v**2 / (v**2 + (1 - v) ** 2) for v in even]
    process.prepare(times)
    z, y = Z[:16], Y[:16]
    *_, last = one(process, SMOOTH.oracle(process), z, y, times, None)
    return float((last - SMOOTH.flow(z, (0.1, 0.9), (0.9, 0.1))).pow(2).mean().sqrt())
