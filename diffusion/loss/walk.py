r"""Steps between two times of a Gaussian process, each sample at times of its own.

    z_t     = signal_t·x + sigma_t·epsilon
    epsilon = (z_t - signal_t·x)/sigma_t
    z_s     = signal_s·x + sigma_s·epsilon

With a predicted x this is a step of DDIM (Song et al. 2021, equation 12, eta = 0). Read backwards
it says which x makes one step land at a given z_s:

    x = (sigma_t·z_s - sigma_s·z_t) / (sigma_t·signal_s - sigma_s·signal_t)

Losses see a process that is held half a step away from the data (see `Bridge.bind`); here t = 0 is
the data, (signal, sigma) = (1, 0), as it is when sampling.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..noise.clock import fit


class Level(NamedTuple):
    """The scales at some times, ready to multiply states."""

    signal: Tensor
    sigma: Tensor

    def noised(self, x: Tensor, epsilon: Tensor) -> Tensor:
        """signal·x + sigma·epsilon."""
        return (self.signal * x + self.sigma * epsilon).to(x.dtype)


def level(noise: Any, t: Tensor, like: Tensor) -> Level:
    """The scales at times `t` `[b]`; (1, 0) at 0."""
    signal, sigma = noise.clock(t)
    signal = torch.where(t == 0, torch.ones_like(signal), signal)
    sigma = torch.where(t == 0, torch.zeros_like(sigma), sigma)
    return Level(fit(signal, like), fit(sigma, like))


def ddim(x: Tensor, z: Tensor, here: Level, there: Level) -> Tensor:
    """z carried from one level to another by a step of DDIM towards x."""
    return there.noised(x, (z - here.signal * x) / here.sigma)


def landing(z: Tensor, end: Tensor, here: Level, there: Level) -> Tensor:
    """The x with which one step of DDIM carries `z` to `end`."""
    reach = here.sigma * there.signal - there.sigma * here.signal
    x: Tensor = (here.sigma * end - there.sigma * z) / reach
    return x.to(z.dtype)


def earlier(noise: Any, t: Tensor, count: int) -> Tensor:
    """One of `count` equal steps before `t`, and not before the data; at least one index."""
    if t.is_floating_point():
        return (t - 1 / count).clamp_min(0)
    steps: int = noise.clock.steps
    return (t - max(1, round(steps / count))).clamp_min(0)


def at(noise: Any, u: Tensor, like: Tensor) -> Tensor:
    """Shares `u` `[b]` of the whole time as times of the kind of `like`."""
    if like.is_floating_point():
        return u.to(like.dtype)
    steps: int = noise.clock.steps
    return (u.double() * steps).round().to(like.dtype)
