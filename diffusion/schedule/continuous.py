r"""Schedules given by their scales: z = signal(u)·x + sigma(u)·epsilon, u in [0, 1]."""

import torch
from torch import Tensor

from ..base import Schedule
from ..errors import require


class Sigmoid(Schedule):
    r"""$\bar\alpha(u) = \frac{s(end) - s(start + u(end-start))}{s(end)-s(start)}$.

    Jabri et al. 2022, algorithm 1, with s(v) the logistic function of v/tau.
    """

    start: float = -3.0
    end: float = 3.0
    tau: float = 1.0

    def __post_init__(self) -> None:
        require(self.end > self.start, "Sigmoid.end", f"more than start = {self.start}", self.end)
        require(self.tau > 0, "Sigmoid.tau", "a positive number", self.tau)

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        ends = torch.tensor([self.start, self.end], dtype=torch.float64, device=u.device)
        low, high = (ends / self.tau).sigmoid()
        here = ((u * (self.end - self.start) + self.start) / self.tau).sigmoid()
        bar = ((high - here) / (high - low)).clamp(1e-9, 1)
        return bar.sqrt(), (1 - bar).sqrt()


class Flow(Schedule):
    r"""Straight paths: $\sigma = \frac{s\,u}{1 + (s - 1)u}$, signal = 1 - sigma.

    Lipman et al. 2023 and Liu et al. 2023 with s = 1; Esser et al. 2024, equation 23, for the
    `shift` s of large pictures.
    """

    steps: int = 1000
    shift: float = 1.0

    def __post_init__(self) -> None:
        require(self.shift > 0, "Flow.shift", "a positive number", self.shift)

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        if self.shift == 1:
            return 1 - u, u
        total = (1 - u) + self.shift * u  # not 1 - sigma: signal is exactly 0 at u = 1
        return (1 - u) / total, self.shift * u / total

    def slopes(self, u: Tensor) -> tuple[Tensor | float, Tensor | float]:
        if self.shift == 1:
            return -1.0, 1.0
        slope = self.shift / (1 + (self.shift - 1) * u) ** 2
        return -slope, slope


class LogLinear(Schedule):
    r"""$\bar\alpha(u) = 1 - u$: tokens are lost at a steady rate, one after the other.

    The log-linear schedule of masked diffusion; Lou et al. 2024, section 3.3, Sahoo et al. 2024.
    """

    steps: int = 1000

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return (1 - u).sqrt(), u.sqrt()


class Karras(Schedule):
    r"""$\sigma(u) = (low^{1/\rho} + u(high^{1/\rho} - low^{1/\rho}))^\rho$, signal = 1.

    Karras et al. 2022 (EDM), equation 5; sigma(0) is 0, the data.
    """

    steps: int = 1000
    low: float = 0.002
    high: float = 80.0
    rho: float = 7.0

    def __post_init__(self) -> None:
        _positive(self.low, self.high, "Karras")

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.low ** (1 / self.rho), self.high ** (1 / self.rho)
        sigma = (a + u * (b - a)) ** self.rho
        return torch.ones_like(u), torch.where(u > 0, sigma, 0.0)


class Geometric(Schedule):
    r"""$\sigma(u) = low\,(high/low)^u$, signal = 1. Song & Ermon 2019; sigma(0) is 0, the data."""

    steps: int = 1000
    low: float = 0.01
    high: float = 50.0

    def __post_init__(self) -> None:
        _positive(self.low, self.high, "Geometric")

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        sigma = self.low * (self.high / self.low) ** u
        return torch.ones_like(u), torch.where(u > 0, sigma, 0.0)


def _positive(low: float, high: float, name: str) -> None:
    require(0 < low < high, f"{name}.low, {name}.high", "0 < low < high", f"{low}, {high}")
