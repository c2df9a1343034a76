r"""$\mathcal N(\mu, \sigma^2)$, element by element."""

import math
from typing import Self

import torch
from torch import Tensor

from ..base import Distribution
from ..rng import Rng, normal


class Normal(Distribution):
    r"""Independent normal distributions.

    Args:
        mu: means. sigma: standard deviations, of any shape that broadcasts to `mu`'s, or a number.
            `sigma = 0` is a point mass: it can be sampled, and has no density.
    """

    mu: Tensor
    sigma: Tensor | float

    def sample(self, rng: Rng = None) -> tuple[Tensor, Tensor | None]:
        """`(mu + sigma·epsilon, epsilon)`; epsilon is None for the number 0."""
        if isinstance(self.sigma, float) and self.sigma == 0.0:
            return self.mu, None
        epsilon = normal(self.mu, rng)
        if isinstance(self.sigma, Tensor):
            return torch.addcmul(self.mu, self.sigma, epsilon), epsilon
        return torch.add(self.mu, epsilon, alpha=self.sigma), epsilon

    def nll(self, x: Tensor) -> Tensor:
        r"""$\frac{(x - \mu)^2}{2\sigma^2} + \log(\sigma\sqrt{2\pi})$, nats."""
        sigma = torch.as_tensor(self.sigma, dtype=self.mu.dtype, device=self.mu.device)
        return 0.5 * ((x - self.mu) / sigma) ** 2 + sigma.log() + 0.5 * math.log(2 * math.pi)

    def dkl(self, other: Self) -> Tensor:
        r"""$\log(\sigma_2/\sigma_1) + (\sigma_1^2 + (\mu_1-\mu_2)^2) / (2\sigma_2^2) - 1/2$."""
        one, two = (torch.as_tensor(d.sigma, dtype=d.mu.dtype) for d in (self, other))
        variance = (one**2 + (self.mu - other.mu) ** 2) / (2 * two**2)
        return (two / one).log() + variance - 0.5

    def binned(self, x: Tensor, width: float, low: float = -1.0, high: float = 1.0) -> Tensor:
        r"""$-\log P(|X - x| < w/2)$ in nats; the outermost bins reach to infinity.

        Ho et al. 2020, equation 13, for data quantised to bins of `width` on [low, high].
        """
        sigma = torch.as_tensor(self.sigma, dtype=self.mu.dtype, device=self.mu.device)
        upper = ((x + width / 2 - self.mu) / sigma).masked_fill(x > high - width / 2, torch.inf)
        lower = ((x - width / 2 - self.mu) / sigma).masked_fill(x < low + width / 2, -torch.inf)
        # Phi(b) - Phi(a) = Phi(-a) - Phi(-b): taken on the left, where float32 has its digits.
        swap = (upper + lower).nan_to_num(0.0) > 0
        a, b = torch.where(swap, -upper, lower), torch.where(swap, -lower, upper)
        mass = torch.special.ndtr(b) - torch.special.ndtr(a)
        tiny = torch.finfo(mass.dtype).tiny
        centre = self.nll(x) - math.log(width)  # where even that underflows: density times width
        return torch.where(mass > 100 * tiny, -mass.clamp_min(tiny).log(), centre)
