r"""Schedules given by $\alpha_t$ or $\bar\alpha_t$ at the steps t = 0..T."""

import torch
from torch import Tensor

from ..base import Schedule
from ..errors import require
from .scales import bars


def steps_of(bar: Tensor) -> Tensor:
    """Per-step alphas from alpha-bar."""
    return torch.cat([bar[:1], bar[1:] / bar[:-1]])


class Constant(Schedule):
    r"""$\alpha_t = value$ at every step."""

    value: float = 0.995

    def __post_init__(self) -> None:
        require(0 < self.value < 1, "Constant.value", "a number in (0, 1)", self.value)

    def compute(self) -> Tensor:
        return torch.full((self.steps + 1,), self.value, dtype=torch.float64)


class Linear(Schedule):
    r"""$\alpha_t$ linear from `start` at t = 0 to `end` at t = T.

    Ho et al. 2020, section 4: $\beta$ from 1e-4 to 0.02, that is `Linear(1000, 0.9999, 0.98)`.
    """

    start: float = 0.9999
    end: float = 0.98

    def compute(self) -> Tensor:
        return torch.linspace(self.start, self.end, self.steps + 1, dtype=torch.float64)


class Cosine(Schedule):
    r"""$\bar\alpha_t = f(t)/f(0)$, $f(t) = \cos^p(\frac{\pi}{2}\frac{t/T + s}{1 + s})$.

    Nichol & Dhariwal 2021, equation 17. Args: offset: s. exponent: p. Each step keeps
    $\alpha_t \ge 0.001$, as in the paper.
    """

    offset: float = 8e-3
    exponent: float = 2.0

    def compute(self) -> Tensor:
        u = torch.linspace(0, 1, self.steps + 1, dtype=torch.float64)
        f = ((u + self.offset) / (1 + self.offset) * torch.pi / 2).cos().clamp_min(0)
        return steps_of((f / f[0]) ** self.exponent).clamp(1e-3, 1.0)


class Sqrt(Schedule):
    r"""$\bar\alpha_t = 1 - \sqrt{t/T + s}$: noise comes fast at first, for text.

    Li et al. 2022 (Diffusion-LM), appendix A. Args: offset: s.
    """

    offset: float = 1e-4

    def compute(self) -> Tensor:
        u = torch.linspace(0, 1, self.steps + 1, dtype=torch.float64)
        bar = (1 - (u + self.offset).sqrt()).clamp_min(1e-4 * (1 - u) + 1e-8)
        return steps_of(torch.cat([torch.ones(1, dtype=torch.float64), bar[1:]]))


class ZeroTerminal(Schedule):
    r"""`inner`, shifted and scaled in $\sqrt{\bar\alpha}$ so that x_T holds no signal at all.

    Lin et al. 2024 ("Common diffusion noise schedules and sample steps are flawed"), algorithm 1.
    x can't be recovered from epsilon at t = T: use a network that predicts x or v.
    """

    inner: Schedule

    def __init__(self, inner: Schedule) -> None:
        self.inner = inner
        self.steps = inner.steps

    def compute(self) -> Tensor:
        root = bars(self.inner).sqrt()
        first, last = root[1], root[-1]
        shifted = (root - last) * first / (first - last)
        bar = torch.cat([torch.ones(1, dtype=torch.float64), shifted[1:-1] ** 2, torch.zeros(1)])
        return steps_of(bar)
