"""Faulty distributions and schedules."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffusion.base import Schedule
from diffusion.schedule import Linear

from ...tutorial import Normal


class MissingConstant(Normal):
    def nll(self, x: Tensor) -> Tensor:
        return 0.5 * ((x - self.mu) / self.sigma) ** 2 + self.sigma.log()


class VarianceInSample(Normal):
    def sample(self) -> tuple[Tensor, Tensor]:
        epsilon = torch.randn_like(self.mu)
        return self.mu + self.sigma**2 * epsilon, epsilon


class ReversedDkl(Normal):
    def dkl(self, other: Normal) -> Tensor:
        return Normal.dkl(other, self)


class SummedNll(Normal):
    def nll(self, x: Tensor) -> Tensor:
        return Normal.nll(self, x).sum(-1)


class NumpyDraws(Normal):
    def sample(self) -> tuple[Tensor, Tensor]:
        epsilon = torch.from_numpy(np.random.randn(*self.mu.shape)).to(self.mu)
        return self.mu + self.sigma * epsilon, epsilon


class Rising(Schedule):
    def compute(self) -> Tensor:
        return torch.linspace(0.999, 1.01, self.steps + 1)


class Short(Linear):
    def compute(self) -> Tensor:
        return super().compute()[1:]


class Cumulative(Linear):
    """alpha-bar instead of alpha: still falls, but the two tell of different processes."""

    def compute(self) -> Tensor:
        return super().compute().cumprod(0)

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return Linear(self.steps, self.start, self.end).scales(u)


class FixedLength(Linear):
    def compute(self) -> Tensor:
        return torch.linspace(self.start, self.end, 101)


class RandomSchedule(Linear):
    def compute(self) -> Tensor:
        return super().compute() - 0.001 * torch.rand(())


def law(cls: type[Normal]) -> Normal:
    """Four by three elements with different parameters."""
    generator = torch.Generator().manual_seed(0)
    mu = torch.randn(4, 3, generator=generator)
    return cls(mu, torch.rand(4, 3, generator=generator) + 0.4)


FAULTS: list[tuple[Any, str]] = [
    (law(MissingConstant), "nll is normalised"),
    (law(VarianceInSample), "samples follow nll"),
    (law(ReversedDkl), "dkl"),
    (law(SummedNll), "nll by element"),
    (law(NumpyDraws), "torch's generator"),
    (Rising(100), "monotone"),
    (Short(100), "length"),
    (Cumulative(100), "compute and scales agree"),
    (FixedLength(100), "steps"),
    (RandomSchedule(100), "determined"),
]
