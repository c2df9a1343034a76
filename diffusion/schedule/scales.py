r"""From any schedule to (signal, sigma) at any time, in float64.

A schedule gives either per-step $\alpha_t$ or continuous scales; each follows from the other
through the log-SNR. With $\bar\alpha_t = \prod_{i\le t}\alpha_i$ the scales are
$\sqrt{\bar\alpha}$ and $\sqrt{1-\bar\alpha}$; with scales, $\bar\alpha =
signal^2 / (signal^2 + sigma^2)$. t = 0 is always the data: $\bar\alpha_0 = 1$, and an
$\alpha_0 < 1$ is moved into $\alpha_1$, which leaves every later $\bar\alpha_t$ as it was.
"""

import torch
from torch import Tensor

from ..base import Schedule
from ..errors import InputError


class Table(Schedule):
    """A schedule that is its table of per-step alphas, t = 0..T."""

    alpha: Tensor

    def compute(self) -> Tensor:
        return self.alpha


def alphas(schedule: Schedule) -> Tensor:
    """Per-step alphas of a schedule that defines `scales`."""
    require_one(schedule)
    bar = survival(*scales_table(schedule))
    return torch.cat([bar[:1], bar[1:] / bar[:-1]])


def require_one(schedule: Schedule) -> None:
    """Raise unless the schedule defines `compute` or `scales`."""
    kind = type(schedule)
    if kind.scales is Schedule.scales and kind.compute is Schedule.compute:
        raise InputError(
            f"{kind.__name__}: a schedule implements `compute()` (per-step alphas) or "
            "`scales(u)` (signal and sigma); this one has neither."
        )


def survival(signal: Tensor, sigma: Tensor) -> Tensor:
    """The share of signal in the variance, signal²/(signal² + sigma²): alpha-bar, or kappa."""
    return signal**2 / (signal**2 + sigma**2)


def bars(schedule: Schedule) -> Tensor:
    """Alpha-bar for t = 0..T in float64, checked: finite, from 1 down, never up."""
    name = type(schedule).__name__
    require_one(schedule)
    if type(schedule).compute is Schedule.compute:
        bar = survival(*scales_table(schedule))
    else:
        alpha = schedule.compute()
        if not isinstance(alpha, Tensor) or alpha.shape != (schedule.steps + 1,):
            shape = list(alpha.shape) if isinstance(alpha, Tensor) else type(alpha).__name__
            raise InputError(
                f"{name}.compute: expected alpha for t = 0..{schedule.steps}, shape "
                f"[{schedule.steps + 1}]; got {shape}."
            )
        first = float(alpha[0])
        if not 0 < first <= 1 + 1e-9:  # bar[0] is set to 1 below, which would hide it
            raise InputError(f"{name}: expected alpha_0 in (0, 1]; got {first:.6g}.")
        bar = alpha.detach().double().cpu().cumprod(0)
        bar = torch.cat([torch.ones(1, dtype=torch.float64), bar[1:]])
    check(name, bar)
    return bar


def check(name: str, bar: Tensor) -> None:
    """Raise unless alpha-bar falls from 1 towards 0, finite, and strictly over the whole range."""
    if len(bar) < 2:
        raise InputError(f"{name}.steps: expected at least 1, got {len(bar) - 1}.")
    if not bar.isfinite().all():
        t = int((~bar.isfinite()).nonzero()[0])
        raise InputError(f"{name}: alpha-bar is {bar[t].item()} at t = {t}; expected finite.")
    if bar.min() < 0 or bar.max() > 1 + 1e-9:
        raise InputError(
            f"{name}: alpha-bar must lie in [0, 1]; it spans [{bar.min():.4g}, {bar.max():.4g}]. "
            "Each alpha_t must lie in (0, 1]."
        )
    rises = (bar.diff() > 0).nonzero()
    if len(rises):
        t = int(rises[0]) + 1
        raise InputError(
            f"{name} is not monotone: alpha-bar rises from {bar[t - 1]:.6g} to {bar[t]:.6g} at "
            f"t = {t}. Noise must not decrease with t."
        )
    flat = (bar.diff() == 0).nonzero()
    if len(flat):
        t = int(flat[0]) + 1
        raise InputError(
            f"{name}: step t = {t} adds no noise (alpha-bar stays {bar[t]:.6g}); the process "
            "needs alpha_t < 1 at every step. Use fewer steps or a faster schedule."
        )


def scales_table(schedule: Schedule) -> tuple[Tensor, Tensor]:
    """(signal, sigma) for t = 0..T in float64; exactly (1, 0) at t = 0."""
    steps = schedule.steps
    if not isinstance(steps, int) or steps < 1:
        raise InputError(f"{type(schedule).__name__}.steps: expected an integer >= 1, got {steps}.")
    if type(schedule).scales is Schedule.scales:
        bar = bars(schedule)
        return bar.sqrt(), (1 - bar).sqrt()
    signal, sigma = schedule.scales(torch.linspace(0, 1, steps + 1, dtype=torch.float64))
    signal, sigma = (v.expand(steps + 1).double().clone() for v in (signal, sigma))
    signal[0], sigma[0] = 1.0, 0.0
    name, low = type(schedule).__name__, min(float(signal.min()), float(sigma.min()))
    if low < 0:
        raise InputError(f"{name}.scales: expected signal >= 0 and sigma >= 0; got {low:.6g}.")
    check(name, survival(signal, sigma))
    return signal, sigma


def interpolated(schedule: Schedule, u: Tensor) -> tuple[Tensor, Tensor]:
    """Scales at continuous times of a schedule that defines `compute`."""
    return between(bars(schedule), u)


def between(bar: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Scales at continuous times from a table of alpha-bar: log-SNR linear between the steps.

    In the first interval, where log-SNR is infinite at one end, sigma/signal is linear; likewise
    signal/sigma in a last interval that ends in pure noise.
    """
    bar, steps = bar.to(u.device), len(bar) - 1
    position = u.double().clamp(0, 1) * steps
    index = position.detach().floor().clamp(0, steps - 1).long()
    part = position - index
    ratio = ((1 - bar) / bar.clamp_min(1e-300)).sqrt()  # sigma / signal
    low, high = ratio[index], ratio[index + 1]
    inside = low.clamp_min(1e-150) ** (1 - part) * high.clamp_max(1e150) ** part
    blend = torch.where(index == 0, high.clamp_max(1e150) * part, inside)
    if bar[-1] == 0:
        # One step has both ends infinite: a straight path, sigma/signal = part/(1 - part).
        start = torch.where(low > 0, low, part)
        last = start / (1 - part).clamp_min(1e-140)
        blend = torch.where(index == steps - 1, last, blend)
    norm = (1 + blend**2).rsqrt()
    return norm, blend * norm
