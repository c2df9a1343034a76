"""Times drawn independently of what was learned so far."""

from typing import ClassVar

import torch
from torch import Tensor

from ..base import Time
from ..errors import require


class Discrete(Time):
    """Step indices, uniform on 1..T."""

    def sample(self, steps: int, size: int) -> Tensor:
        return torch.randint(1, steps + 1, (size,))


class Continuous(Time):
    """Uniform on (low, 1]."""

    low: float = 1e-3
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(0 <= self.low < 1, "Continuous.low", "a number in [0, 1)", self.low)

    def sample(self, steps: int, size: int) -> Tensor:
        return torch.empty(size).uniform_(-1, -self.low).neg_()


class Stratified(Time):
    """Evenly spread over (low, 1] with one random offset: lower variance than independent draws.

    Kingma et al. 2021 (Variational diffusion models), appendix I.1.
    """

    low: float = 1e-3
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(0 <= self.low < 1, "Stratified.low", "a number in [0, 1)", self.low)

    def sample(self, steps: int, size: int) -> Tensor:
        u = (torch.rand(()) + torch.randperm(size) / size) % 1
        return 1 - u * (1 - self.low)


class LogitNormal(Time):
    """u = sigmoid(n), n ~ N(mean, std²): middle times more. Esser et al. 2024, section 3.1."""

    mean: float = 0.0
    std: float = 1.0
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(self.std > 0, "LogitNormal.std", "a positive number", self.std)

    def sample(self, steps: int, size: int) -> Tensor:
        return (self.mean + self.std * torch.randn(size)).sigmoid().clamp(1e-4, 1)


class LogNormal(Time):
    """log sigma ~ N(mean, std²) on the sigmas of `schedule.Karras`. Karras et al. 2022, table 1.

    Args:
        mean, std: of log sigma. low, high, rho: as in the model's `Karras` schedule.
    """

    mean: float = -1.2
    std: float = 1.2
    low: float = 0.002
    high: float = 80.0
    rho: float = 7.0
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(self.std > 0, "LogNormal.std", "a positive number", self.std)
        require(0 < self.low < self.high, "LogNormal.low", "0 < low < high", (self.low, self.high))

    def sample(self, steps: int, size: int) -> Tensor:
        sigma = (self.mean + self.std * torch.randn(size)).exp().clamp(self.low, self.high)
        a, b = self.low ** (1 / self.rho), self.high ** (1 / self.rho)
        u: Tensor = (sigma ** (1 / self.rho) - a) / (b - a)
        return u.clamp(1e-4, 1)
