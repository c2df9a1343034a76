r"""Schedules made for the data: for their scale, or for their whole spectrum.

With r = sigma/signal, the probability-flow ODE of Gaussian data with variances $\lambda_i$ along
their principal axes has the solution $z_i/signal = c_i\sqrt{\lambda_i + r^2}$, $c_i \sim N(0, 1)$.
A step of DDIM, which is Euler's in r, of size h at r leaves an error of root mean square

    h²·g_i(r)/2,    g_i(r) = \lambda_i^{3/2} / (\lambda_i + r²)²

in the sample at the end: $h^2 z''/2$, shrunk by $\sqrt{\lambda_i/(\lambda_i + r^2)}$ on the way
there. Over steps that are dense as u'(r) the errors add up to at most
$\frac{1}{2n}\int |g(r)|/u'(r)\,dr$, and

    u'(r) \propto \sqrt{|g(r)|}

makes that smallest. For one variance it is $u = \frac{2}{\pi}\arctan(r/\sqrt\lambda)$: a cosine
schedule of data of that deviation. Williams et al. 2024 ("Score-optimal diffusion schedules") find
the cosine by the same argument, for unit variance; Pierret & Galerne 2025 give the Gaussian
solutions.
"""

from __future__ import annotations

import functools
from typing import Self

import torch
from torch import Tensor

from ..base import Schedule
from ..errors import require
from .discrete import steps_of

POINTS = 1 << 13
"""Noise levels at which the integral is taken: an error of some 1e-6."""
REACH = 10.0
"""sigma/signal at t = T, in the largest deviation: there 1 % of that variance is signal."""
FLOOR = 1e-6
"""Variances below this share of the largest are left out: nothing can be seen of them."""


class Scaled(Schedule):
    r"""`inner` for data that are `scale` times as wide: sigma/signal is `scale` times as large.

    Log-SNR moves by $-2\log(scale)$ at every time, so data of that standard deviation lose their
    information when data of unit variance do under `inner`. signal² + sigma² stays what it was.
    Chen 2023 ("On the importance of noise scheduling"), section 2.2; Hoogeboom et al. 2023
    ("Simple diffusion"), equation 4.
    """

    inner: Schedule
    scale: float

    def __init__(self, inner: Schedule, scale: float) -> None:
        require(isinstance(inner, Schedule), "Scaled.inner", "a Schedule", type(inner).__name__)
        require(0 < scale < float("inf"), "Scaled.scale", "a positive number", scale)
        self.inner, self.scale = inner, scale
        self.steps = inner.steps

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        signal, sigma = self.inner.scales(u)
        power = signal**2 + sigma**2
        norm = (power / (signal**2 + (self.scale * sigma) ** 2)).sqrt()
        return norm * signal, norm * self.scale * sigma


class Spectral(Schedule):
    r"""The schedule that suits DDIM with steps of equal size best, for Gaussian data.

        schedule.Spectral.of(model.encode(images))

    See the top of this file: most steps lie where the variances of the data are resolved. What
    counts is their spectrum; neighbouring pixels that are alike make it reach far above the
    variance of a pixel, and `Scaled` by the deviation of pixels knows nothing of that.

    Args:
        variances: $\lambda_i$, those of the data along their principal axes, `[k]`.
        high: sigma/signal at t = T; None is ten times the largest deviation.
    """

    variances: Tensor
    high: float | None = None

    def __post_init__(self) -> None:
        found = torch.as_tensor(self.variances, dtype=torch.float64)
        fits = found.dim() == 1 and bool((found.isfinite() & (found >= 0)).all())
        wanted = "finite numbers >= 0, [k], not all 0"
        require(fits and bool(found.any()), "Spectral.variances", wanted, self.variances)
        given = self.high is None or 0 < self.high < float("inf")
        require(given, "Spectral.high", "a positive number, or None", self.high)
        self.variances = found

    @classmethod
    def of(cls, x: Tensor, steps: int = 1000, high: float | None = None) -> Self:
        """For encoded items `[n, ...]`: the variances of their principal components."""
        count = len(x) if x.dim() > 1 else 0
        require(count > 1, "Spectral.of.x", "at least 2 encoded items, [n, ...]", list(x.shape))
        flat = x.detach().flatten(1).double().cpu()
        values = torch.linalg.svdvals(flat - flat.mean(0)) ** 2 / (count - 1)
        require(bool(values[0] > 0), "Spectral.of.x", "items that differ", "equal ones")
        return cls(steps, values[values > FLOOR * values[0]], high)

    def compute(self) -> Tensor:
        high = REACH * float(self.variances.max()) ** 0.5 if self.high is None else self.high
        ratio = _ratios(self.steps, tuple(self.variances.tolist()), high)
        return steps_of(1 / (1 + ratio**2))


@functools.lru_cache(maxsize=16)
def _ratios(steps: int, variances: tuple[float, ...], high: float) -> Tensor:
    """sigma/signal at t = 0..T: the inverse of the integral of u', which is taken over log r."""
    known = torch.tensor([v for v in variances if v > 0], dtype=torch.float64)
    low = 1e-4 * min(float(known.min()) ** 0.5, high)
    r = low * (high / low) ** torch.linspace(0, 1, POINTS, dtype=torch.float64)
    shrunk = known**1.5 / (known + r.square().unsqueeze(1)).square()
    density = shrunk.square().sum(1) ** 0.25
    below = density[0] * low  # constant there
    grown = torch.cat([below[None], below + torch.cumulative_trapezoid(density, r)])
    goal = torch.linspace(0, 1, steps + 1, dtype=torch.float64) * grown[-1]
    above = torch.searchsorted(grown, goal).clamp(1, POINTS - 1)
    part = (goal - grown[above - 1]) / (grown[above] - grown[above - 1])
    between = r[above - 1] * (r[above] / r[above - 1]) ** part
    return torch.where(goal < below, goal / density[0], between)
