r"""The ideal denoiser of a finite data set: what a network that memorised it would answer.

For data x_1..x_n, q(z) is a mixture of n equal Gaussians, and

    E[x | z] = Σ w_i x_i,   w = softmax_i(-|z - signal·x_i|² / 2·sigma²)
    log p(z) = logsumexp_i(...) - log n - (d/2)·log(2π·sigma²)

(Karras et al. 2022, equation 57). The data are streamed in chunks with a running minimum of the
distances, so memory does not grow with n.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..base import Predict
from ..errors import require
from ..noise.gaussian import Gaussian
from .oracle import column, oracle

Scale = float | Tensor


class _Sums(NamedTuple):
    """Running sums of exp(-(distance - nearest) / 2·sigma²), and of the same times x."""

    nearest: Tensor  # [b]
    total: Tensor  # [b]
    moment: Tensor  # [b, d]
    members: Tensor  # [b]: items that have the label asked for


@dataclass(frozen=True, eq=False)
class Empirical:
    """Equal point masses at the items of a data set.

    Args:
        x: items `[n, ...]`. y: their class ids 1..K `[n]`, for conditional answers.
        chunk: how many items are looked at together.
    """

    x: Tensor
    y: Tensor | None = None
    chunk: int = 4096

    def __post_init__(self) -> None:
        require(len(self.x) > 0, "Empirical.x", "at least one item", "none")
        labelled = self.y is None or self.y.shape == (len(self.x),)
        expected = f"one class id for each item, [{len(self.x)}]"
        require(labelled, "Empirical.y", expected, None if self.y is None else list(self.y.shape))
        require(self.chunk >= 1, "Empirical.chunk", "at least 1", self.chunk)

    def denoise(self, z: Tensor, signal: Scale, sigma: Scale, y: Tensor | None = None) -> Tensor:
        """E[x | z, y], `[b, ...]`, in the dtype of `z`; the nearest item where sigma = 0."""
        sums = self._stream(z, signal, sigma, y)
        return (sums.moment / sums.total.unsqueeze(1)).reshape(z.shape).to(z.dtype)

    def log_density(
        self, z: Tensor, signal: Scale, sigma: Scale, y: Tensor | None = None
    ) -> Tensor:
        """log p(z | y) in nats, `[b]`, float64; for sigma > 0."""
        sums = self._stream(z, signal, sigma, y)
        variance = column(sigma, sums.total) ** 2
        nats = sums.nearest / (2 * variance) + 0.5 * z[0].numel() * (2 * math.pi * variance).log()
        return sums.total.log() - sums.members.log() - nats

    def oracle(self, noise: Gaussian) -> Predict:
        """`predict(z, y, t) -> hat [1, b, ...]` in the parametrisation of the bound `noise`."""
        return oracle(self, noise)

    def _stream(self, z: Tensor, signal: Scale, sigma: Scale, y: Tensor | None) -> _Sums:
        shape = tuple(self.x.shape[1:])
        require(tuple(z.shape[1:]) == shape, "Empirical: z", f"[b, *{list(shape)}]", list(z.shape))
        flat = z.double().flatten(1) if z.dim() > 1 else z.double().unsqueeze(1)
        on = column(signal, flat)
        width = (2 * column(sigma, flat) ** 2).clamp_min(1e-300)
        far = torch.full((len(z),), torch.inf, dtype=torch.float64, device=z.device)
        sums = _Sums(far, torch.zeros_like(far), torch.zeros_like(flat), torch.zeros_like(far))
        for start in range(0, len(self.x), self.chunk):
            part = slice(start, start + self.chunk)
            items = self.x[part].to(z.device, torch.float64).reshape(-1, flat.shape[1])
            sums = _add(sums, items, _distances(flat, on, items), self._eligible(part, y), width)
        require(
            bool((sums.members > 0).all()), "Empirical: y", "class ids that occur in the data", y
        )
        return sums

    def _eligible(self, part: slice, y: Tensor | None) -> Tensor | None:
        """Which items of a chunk have the label asked for, `[b, c]`; None for all."""
        if y is None:
            return None
        if self.y is None:
            require(not y.any(), "Empirical: y", "0 or None, as the data have no labels", y)
            return None
        asked = y.unsqueeze(1)
        return (asked == 0) | (asked == self.y[part].to(y.device))


def _distances(z: Tensor, signal: Tensor, x: Tensor) -> Tensor:
    """|z - signal·x_i|², `[b, c]`."""
    cross = z @ x.T
    square = (z**2).sum(1, keepdim=True) - 2 * signal * cross + signal**2 * (x**2).sum(1)
    return square.clamp_min(0)


def _add(sums: _Sums, x: Tensor, distance: Tensor, eligible: Tensor | None, width: Tensor) -> _Sums:
    if eligible is not None:
        distance = distance.masked_fill(~eligible, torch.inf)
    nearest = torch.minimum(sums.nearest, distance.amin(1))
    base = nearest.masked_fill(nearest.isinf(), 0.0)  # none eligible yet: every term is exp(-inf)
    rescale = (-(sums.nearest - base) / width.squeeze(1)).exp()
    terms = (-(distance - base.unsqueeze(1)) / width).exp()
    return _Sums(
        nearest,
        sums.total * rescale + terms.sum(1),
        sums.moment * rescale.unsqueeze(1) + terms @ x,
        sums.members + distance.isfinite().sum(1),
    )
