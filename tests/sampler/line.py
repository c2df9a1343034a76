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
