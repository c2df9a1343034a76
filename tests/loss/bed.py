"""One-dimensional mixtures whose flow map is known, as batches of training."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from diffusion import noise, schedule
from diffusion.base import Schedule
from diffusion.batch import Batch
from diffusion.data import Identity
from diffusion.exact import Mixture

BED = Mixture(
    torch.tensor([0.3, 0.5, 0.2]),
    torch.tensor([[-1.0], [0.4], [1.2]], dtype=torch.float64),
    torch.tensor([0.15, 0.3, 0.2], dtype=torch.float64),
)
SINGLE = Mixture(torch.ones(1), torch.tensor([[0.5]], dtype=torch.float64), 0.4)


def process(parameter: str = "velocity", of: Schedule | None = None, **own: Any) -> Any:
    """A bound noise as a loss sees it."""
    plan = schedule.Flow(1000) if of is None else of
    return noise.Gaussian(parameter, **own).bind(plan, soft=True)


def batch(
    noise: Any, net: Callable[..., Tensor], size: int = 512, t: Tensor | None = None,
    mixture: Mixture = BED, step: int = 0,
) -> Batch[Any]:  # fmt: skip
    """A training batch in float64 at given times, or at times spread over (0, 1)."""
    source = torch.Generator().manual_seed(0)
    x, _ = mixture.sample(size, source)
    epsilon = torch.randn(x.shape, generator=source, dtype=x.dtype)
    if t is None:
        t = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    signal, sigma = (v.reshape(-1, 1) for v in noise.clock(t))
    z, y = signal * x + sigma * epsilon, torch.zeros(size, dtype=torch.long)
    return Batch(
        noise, Identity(), None, net, step, w=x, x=x, y=y, t=t, z=z, epsilon=epsilon
    )  # fmt: skip
