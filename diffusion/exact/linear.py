r"""Linear inverse problems with a known answer: b = A·x + n, n ~ N(0, R), x from a mixture.

Component k of the posterior is N(m_k + G_k (b - A·m_k), (I - G_k A) C_k) with the gain
G_k = C_k Aᵀ (A C_k Aᵀ + R)⁻¹ and a weight in proportion to w_k·N(b; A·m_k, A C_k Aᵀ + R): a mixture
again, whose `denoise` is the exact E[x | z, b] that guided samplers approximate.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import require
from ..rng import Rng, normal
from .mixture import Mixture


@dataclass(frozen=True, eq=False)
class LinearGaussian:
    """Observations of a linear map of x.

    Args:
        A: `[m, d]`, over the flattened state. prior: the law of x.
        noise: standard deviation of the observation noise, or its covariance R `[m, m]`.
    """

    A: Tensor
    noise: Tensor | float
    prior: Mixture

    def __post_init__(self) -> None:
        size = len(self.prior.moments()[0])
        fits = self.A.dim() == 2 and self.A.shape[1] == size
        require(fits, "LinearGaussian.A", f"a matrix [m, {size}]", list(self.A.shape))
        shape = tuple(torch.as_tensor(self.noise).shape)
        expected = f"a number or a covariance [{len(self.A)}, {len(self.A)}]"
        known = shape in ((), (len(self.A), len(self.A)))
        require(known, "LinearGaussian.noise", expected, list(shape))

    @property
    def covariance(self) -> Tensor:
        """R, `[m, m]`, float64."""
        noise = torch.as_tensor(self.noise, dtype=torch.float64)
        return noise if noise.dim() else noise**2 * torch.eye(len(self.A)).double()

    def observe(self, x: Tensor, rng: Rng = None) -> Tensor:
        """b for each state, `[n, ...] -> [n, m]`, in the dtype of `x`."""
        clean = x.double().reshape(len(x), -1) @ self.A.double().T
        values, basis = torch.linalg.eigh(self.covariance)
        drawn: Tensor = (normal(clean, rng) * values.clamp_min(0).sqrt()) @ basis.T
        return (clean + drawn).to(x.dtype)

    def posterior(self, b: Tensor) -> Mixture:
        """p(x | b) for one observation `[m]`; its `moments()` are the exact mean and covariance."""
        rows, seen = self.A.double(), b.double()
        require(
            tuple(b.shape) == (len(rows),), "LinearGaussian: b", f"[{len(rows)}]", list(b.shape)
        )
        c, m = self.prior.matrices, self.prior.means.double().reshape(len(self.prior.means), -1)
        cross = c @ rows.T
        spread = rows @ cross + self.covariance
        gain = torch.linalg.solve(spread, cross.mT).mT
        gap = seen - m @ rows.T
        means = m + torch.einsum("kdm,km->kd", gain, gap)
        weights = self.prior.weights.double().log() + _log_normal(gap, spread)
        shrunk = c - gain @ cross.mT
        shape = (len(m), *self.prior.shape)
        dtype = self.prior.means.dtype
        return Mixture(weights.softmax(0), means.reshape(shape).to(dtype), None, shrunk)


def _log_normal(gap: Tensor, spread: Tensor) -> Tensor:
    """log N(gap; 0, spread) up to a constant, `[K]`."""
    solved = torch.linalg.solve(spread, gap.unsqueeze(2)).squeeze(2)
    square: Tensor = (gap * solved).sum(1) + torch.linalg.slogdet(spread).logabsdet
    return -0.5 * square
