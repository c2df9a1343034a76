r"""Mixtures of Gaussians seen through z = signal·x + sigma·epsilon, all in closed form.

Component k of z has mean signal·m_k and covariance S_k = signal²·C_k + sigma²·I. So

    log p(z)  = logsumexp_k [log w_k + log N(z; signal·m_k, S_k)],  r_k(z) the softmax of the same
    e_k       = m_k + signal·C_k S_k⁻¹ (z - signal·m_k)
    E[x|z]    = Σ r_k e_k
    Cov[x|z]  = Σ r_k (sigma²·C_k S_k⁻¹ + e_k e_kᵀ) - E[x|z] E[x|z]ᵀ
    ∇log p(z) = -Σ r_k S_k⁻¹ (z - signal·m_k)

A class label y = 1..K names component y, and 0 all of them. Computed in float64.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from ..base import Predict
from ..errors import InputError, require
from ..noise.gaussian import Gaussian
from ..rng import Rng, normal, uniform
from .oracle import column, oracle
from .quantile import Line, transport
from .spectrum import Spectrum

Scale = float | Tensor


class _View(NamedTuple):
    """A state seen from each component, in its eigenbasis."""

    logs: Tensor  # [b, K]: log w_k + log N
    pull: Tensor  # [b, K, d]: S_k⁻¹ (z - signal·m_k)
    spread: Tensor  # [b or 1, K, d]: eigenvalues of S_k
    signal: Tensor  # [b or 1, 1, 1]
    sigma: Tensor  # [b or 1, 1, 1]
    centres: Tensor  # [K, d]
    spectrum: Spectrum

    def estimates(self) -> Tensor:
        """e_k, `[b, K, d]`."""
        return self.centres + self.spectrum.outward(self.signal * self.spectrum.values * self.pull)

    def average(self, value: Tensor) -> Tensor:
        """Σ r_k value_k: `[b or 1, K, ...] -> [b, ...]`."""
        return torch.einsum(
            "bk,bk...->b...", self.logs.softmax(1), value.expand(len(self.logs), *value.shape[1:])
        )


@dataclass(frozen=True, eq=False)
class Mixture:
    """Σ_k w_k N(m_k, C_k) on states of any shape.

    Args:
        weights: `[K]`, made to sum to one. means: `[K, ...]`; a draw has the shape `[...]`.
        stds: standard deviations: a number, `[K]`, or `[K, ...]` for each element.
        covariances: `[K, d, d]` over the flattened state, instead of `stds`.

    Everywhere `signal` and `sigma` are numbers or `[b]`, z is `[b, ...]`, y is None or ids `[b]`.
    """

    weights: Tensor
    means: Tensor
    stds: Tensor | float | None = None
    covariances: Tensor | None = None
    _logw: Tensor = field(init=False, repr=False)
    _centres: Tensor = field(init=False, repr=False)
    _spectrum: Spectrum = field(init=False, repr=False)

    def __post_init__(self) -> None:
        weights, count = self.weights.double(), len(self.means)
        valid = (
            weights.shape == (count,) and bool((weights >= 0).all()) and float(weights.sum()) > 0
        )
        expected = f"{count} numbers >= 0, one for each mean"
        require(valid, "Mixture.weights", expected, self.weights.tolist())
        shape = tuple(self.means.shape)
        if self.covariances is not None and self.stds is None:
            spectrum = Spectrum.of(self.covariances, shape)
        elif self.stds is not None and self.covariances is None:
            spectrum = Spectrum.diagonal(self.stds, shape)
        else:
            got = "neither" if self.stds is None else "both"
            raise InputError(f"Mixture: expected stds or covariances; got {got}.")
        object.__setattr__(self, "_logw", (weights / weights.sum()).log())
        object.__setattr__(self, "_centres", self.means.double().reshape(count, -1))
        object.__setattr__(self, "_spectrum", spectrum)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one draw."""
        return tuple(self.means.shape[1:])

    @property
    def matrices(self) -> Tensor:
        """The covariances of the components over the flattened state, `[K, d, d]`, float64."""
        return self._spectrum.matrix(self._spectrum.values)

    def given(self, y: int) -> "Mixture":
        """The law of class `y`, 1..K: a single Gaussian."""
        require(1 <= y <= len(self.means), "Mixture.given", f"a class in 1..{len(self.means)}", y)
        one = slice(y - 1, y)
        return Mixture(torch.ones(1), self.means[one], None, self.matrices[one])

    def sample(
        self, size: int, rng: Rng = None, signal: Scale = 1.0, sigma: Scale = 0.0
    ) -> tuple[Tensor, Tensor]:
        """`size` draws of z (of x, by default), in the dtype of `means`, and their class ids."""
        cdf = self._logw.exp().cumsum(0)
        k = torch.searchsorted(cdf / cdf[-1], uniform(torch.empty(size), rng), right=True)
        own, shape = self._spectrum.take(k), (size, self._centres.shape[1])
        draws = normal(torch.empty(shape, dtype=torch.float64), rng) * own.values.sqrt()
        x = self._centres[k] + own.outward(draws.unsqueeze(0)).squeeze(0)
        z = column(signal, x) * x + column(sigma, x) * normal(x, rng)
        return z.reshape(size, *self.shape).to(self.means.dtype), k + 1

    def log_density(
        self, z: Tensor, signal: Scale = 1.0, sigma: Scale = 0.0, y: Tensor | None = None
    ) -> Tensor:
        """log p(z) or log p(z | y) in nats, `[b]`, float64."""
        return self._view(z, signal, sigma, y).logs.logsumexp(1)

    def responsibilities(
        self, z: Tensor, signal: Scale = 1.0, sigma: Scale = 0.0, y: Tensor | None = None
    ) -> Tensor:
        """p(component | z, y), `[b, K]`, float64."""
        return self._view(z, signal, sigma, y).logs.softmax(1)

    def denoise(self, z: Tensor, signal: Scale, sigma: Scale, y: Tensor | None = None) -> Tensor:
        """E[x | z, y], `[b, ...]`, in the dtype of `z`."""
        view = self._view(z, signal, sigma, y)
        return view.average(view.estimates()).reshape(z.shape).to(z.dtype)

    def score(
        self, z: Tensor, signal: Scale = 1.0, sigma: Scale = 0.0, y: Tensor | None = None
    ) -> Tensor:
        """∇ log p(z | y), `[b, ...]`, in the dtype of `z`."""
        view = self._view(z, signal, sigma, y)
        pull = view.average(view.spectrum.outward(view.pull))
        return -pull.reshape(z.shape).to(z.dtype)

    def covariance(self, z: Tensor, signal: Scale, sigma: Scale, y: Tensor | None = None) -> Tensor:
        """Cov[x | z, y] over the flattened state, `[b, d, d]`, in the dtype of `z`."""
        view = self._view(z, signal, sigma, y)
        own, estimates = view.spectrum, view.estimates()
        within = own.matrix(view.sigma**2 * own.values / view.spread)
        gap = estimates - view.average(estimates).unsqueeze(1)
        between = gap.unsqueeze(-1) * gap.unsqueeze(-2)
        return (view.average(within) + view.average(between)).to(z.dtype)

    def moments(self, signal: float = 1.0, sigma: float = 0.0) -> tuple[Tensor, Tensor]:
        """Mean `[d]` and covariance `[d, d]` of z over the flattened state, float64."""
        w, mean = self._logw.exp(), self._logw.exp() @ self._centres
        gap = self._centres - mean
        spread = torch.einsum("k,kde->de", w, self.matrices + gap.unsqueeze(2) * gap.unsqueeze(1))
        return signal * mean, signal**2 * spread + sigma**2 * torch.eye(len(mean)).double()

    def flow(
        self, z: Tensor, start: tuple[float, float], end: tuple[float, float] = (1.0, 0.0)
    ) -> Tensor:
        """Where the probability-flow ODE takes `z` from noise level `start` to `end`.

        Levels are (signal, sigma). For one-dimensional states; see `diffusion.exact.quantile`.
        """
        require(
            self._centres.shape[1] == 1,
            "Mixture.flow",
            "a one-dimensional mixture",
            f"states of shape {list(self.shape)}",
            "Integrate the ODE numerically instead.",
        )
        moved = transport(z.double().flatten(), self._line(*start), self._line(*end))
        return moved.reshape(z.shape).to(z.dtype)

    def oracle(self, noise: Gaussian) -> Predict:
        """`predict(z, y, t) -> hat [1, b, ...]` in the parametrisation of the bound `noise`."""
        return oracle(self, noise)

    def _line(self, signal: float, sigma: float) -> Line:
        std = (signal**2 * self._spectrum.values[:, 0] + sigma**2).sqrt()
        return Line(self._logw, signal * self._centres[:, 0], std)

    def _view(self, z: Tensor, signal: Scale, sigma: Scale, y: Tensor | None) -> _View:
        expected = f"[b{''.join(f', {n}' for n in self.shape)}]"
        require(tuple(z.shape[1:]) == self.shape, "Mixture: z", expected, list(z.shape))
        flat = z.double().reshape(len(z), 1, -1)
        on, scale = column(signal, flat), column(sigma, flat)
        centres, own = self._centres.to(z.device), self._spectrum.to(z.device)
        gap = own.inward(flat - on * centres)
        # A point mass without noise has no width; this one keeps 0/0 away.
        spread = (on**2 * own.values + scale**2).clamp_min(1e-300)
        nats = 0.5 * (gap**2 / spread + spread.log() + math.log(2 * math.pi))
        logs = self._prior(z, y) - nats.sum(2)
        return _View(logs, gap / spread, spread, on, scale, centres, own)

    def _prior(self, z: Tensor, y: Tensor | None) -> Tensor:
        """log p(component | y), `[b or 1, K]`."""
        logw, count = self._logw.to(z.device).unsqueeze(0), len(self.means)
        if y is None:
            return logw
        known = y.shape == (len(z),) and bool(((y >= 0) & (y <= count)).all())
        require(known, "Mixture: y", f"class ids in 0..{count}, shape [{len(z)}]", y)
        picked = y.unsqueeze(1) == torch.arange(1, count + 1, device=z.device)
        alone = torch.zeros_like(logw).masked_fill(~picked, -torch.inf)
        return torch.where(y.unsqueeze(1) == 0, logw, alone)
