r"""The noise schedules of Diffusers' schedulers.

beta_k, k = 0..T-1, has the name of one of `KINDS`, and alpha_t = 1 - beta_{t-1}: the data, t = 0,
are no entry of the table, and its timestep k is t = k + 1. 1 - beta is rounded to float32, as it
was for the networks: at k = 0 that moves beta by 3e-4. Then alpha-bar may be changed, in this order

    a -> a/(snr + (1 - snr)·a)               `snr_shift_scale`: sigma²/signal² times snr
    √a -> (√a - √a_T)·√a_1/(√a_1 - √a_T)     `rescale_betas_zero_snr`, Lin et al. 2024
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ...base import Schedule
from ...errors import choose, require
from ...schedule.discrete import steps_of

MOST = 100_000
"""Steps of the longest table that is made."""


class Betas(Schedule):
    """A table of betas by its name and its ends.

    Args:
        kind: `beta_schedule`, one of "linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid",
            "exp", "laplace"; or "trained".
        start, end: of the first and the last beta, where the kind has them.
        trained: beta for k = 0..T-1, for the kind "trained".
        snr: what sigma²/signal² is multiplied by.
        zero: rescale to no signal at t = T. floor: alpha-bar that is left there all the same.
    """

    steps: int = 1000
    kind: str = "linear"
    start: float = 1e-4
    end: float = 0.02
    trained: tuple[float, ...] = ()
    snr: float = 1.0
    zero: bool = False
    floor: float = 0.0

    def __post_init__(self) -> None:
        self.trained = tuple(self.trained)
        choose("Betas.kind", self.kind, (*KINDS, "trained"))
        require(1 <= self.steps <= MOST, "Betas.steps", f"1 to {MOST}", self.steps)
        ends = 0 < self.start < 1 and 0 < self.end < 1
        require(ends, "Betas.start, Betas.end", "numbers in (0, 1)", (self.start, self.end))
        known = len(self.trained) == (self.steps if self.kind == "trained" else 0)
        require(known, "Betas.trained", f"{self.steps} numbers for 'trained', else none",
                len(self.trained))  # fmt: skip
        fits = all(0 < beta <= 1 for beta in self.trained)
        require(fits, "Betas.trained", "numbers in (0, 1]", "others")
        require(0 < self.snr < math.inf, "Betas.snr", "a positive number", self.snr)
        require(0 <= self.floor < 1, "Betas.floor", "a number in [0, 1)", self.floor)

    def compute(self) -> Tensor:
        bar = torch.cat([torch.ones(1), 1 - self.betas()]).double().cumprod(0)
        bar = bar / (self.snr + (1 - self.snr) * bar)
        if self.zero:
            bar[1:] = _without_end(bar[1:].sqrt()) ** 2
            # Above a floor that falls as well: the last steps before T may lie below the one at T.
            bar = torch.maximum(bar, self.floor * (2 - torch.linspace(0, 1, len(bar)).double()))
        return steps_of(bar)

    def betas(self) -> Tensor:
        """beta_k, k = 0..T-1, in float32."""
        if self.kind == "trained":
            return torch.tensor(self.trained, dtype=torch.float32)
        return KINDS[self.kind](self.steps, self.start, self.end)


class Circle(Schedule):
    r"""signal = cos(πu/2), sigma = sin(πu/2): the angle grows evenly."""

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        angle = u * (math.pi / 2)
        return torch.where(u < 1, angle.cos(), 0.0), angle.sin()


def _without_end(root: Tensor) -> Tensor:
    return (root - root[-1]) * root[0] / (root[0] - root[-1])


def _linear(steps: int, start: float, end: float) -> Tensor:
    return torch.linspace(start, end, steps)


def _scaled(steps: int, start: float, end: float) -> Tensor:
    return torch.linspace(start**0.5, end**0.5, steps) ** 2


def _sigmoid(steps: int, start: float, end: float) -> Tensor:
    return torch.linspace(-6, 6, steps).sigmoid() * (end - start) + start


def _from_bar(bar: Callable[[Tensor], Tensor]) -> Callable[[int, float, float], Tensor]:
    """beta_k = 1 - a((k + 1)/T)/a(k/T), at most 0.999, for a function a of u = t/T."""

    def betas(steps: int, start: float, end: float) -> Tensor:
        values = bar(torch.arange(steps + 1, dtype=torch.float64) / steps)
        return (1 - values[1:] / values[:-1]).clamp_max(0.999).float()

    return betas


def _cosine(u: Tensor) -> Tensor:
    return ((u + 0.008) / 1.008 * (math.pi / 2)).cos() ** 2


def _exponential(u: Tensor) -> Tensor:
    return (-12 * u).exp()


def _laplace(u: Tensor) -> Tensor:
    """√(s/(1 + s)) with the signal-to-noise ratio s of Hang et al. 2024, as Diffusers takes it."""
    sign = torch.where(u > 0.5, 1.0, -1.0)
    return (sign * 0.5 * (1 - 2 * (0.5 - u).abs() + 1e-6).log()).sigmoid().sqrt()


KINDS: dict[str, Callable[[int, float, float], Tensor]] = {
    "linear": _linear, "scaled_linear": _scaled, "sigmoid": _sigmoid,
    "squaredcos_cap_v2": _from_bar(_cosine), "exp": _from_bar(_exponential),
    "laplace": _from_bar(_laplace),
}  # fmt: skip
