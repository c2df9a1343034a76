r"""Tau-leaping: jump rates held fixed over a step. Campbell et al. 2022, section 4.3.

Forward, a token is redrawn from pi at the rate beta = -d log(kappa)/dt. By time reversal
(Campbell et al. 2022, proposition 1) a token z jumps to j at the rate

    beta·pi(z)·q(j)/q(z),    q = kappa·l + (1 - kappa)·pi

with l the token's law given the others, see `diffusion.sampler.discrete.tokens`. Over a step l is
held fixed, and the integral of the rate depends on kappa at the two ends only:

    L(j) = pi(j)·log(kappa_s/kappa_t) + (pi(z)·l(j) - pi(j)·l(z))·G
    G = ∫ dkappa / (pi(z) + kappa·d) = log(1 + d·(kappa_s - kappa_t)/D) / d

with d = l(z) - pi(z) and D = pi(z) + kappa_t·d. For absorbing noise this is l(j) times the log of
the ratio of the masked shares (Ou et al. 2025). A token that jumps several times
within a step holds what it jumped to last: with Λ = Σ L, it stays with probability exp(-Λ), and is
j with probability (1 - exp(-Λ))·L(j)/Λ.
"""

import math
from typing import Any

import torch
from torch import Tensor

from ...base import Noise
from ...distribution import Categorical
from .tokens import Leap, likelihood, rank_one, redraw_law


class TauLeap(Leap):
    """Simulate the reverse jumps with rates that are updated once a step; order 1.

    From pure noise, where rates are infinite, and to the data, where a jump away would remain, the
    step is the bridge's. For `Uniform`, `Absorbing` and `Mixed` noise.
    """

    def fits(self, noise: Noise[Any]) -> str | None:
        return rank_one(self, noise)

    def law(self, noise: Any, z: Tensor, t: Any, s: Any, hat: Tensor) -> Categorical:
        log_p = noise.predict(z, t, hat)
        kappa, kappa_s = noise.clock.kappa(t), noise.clock.kappa(s)
        if kappa == 0 or kappa_s == 1:
            return Categorical(noise.soft_bridge(log_p, z, t, s))
        own = (log_p - likelihood(noise, log_p, z, t)).softmax(-1)
        jumps = _integrated(own, redraw_law(noise, log_p), z.unsqueeze(-1), kappa, kappa_s)
        total = jumps.sum(-1, keepdim=True)
        moved = torch.where(total > 0, -torch.expm1(-total) / total, 0.0)
        return Categorical.of((jumps * moved).scatter(-1, z.unsqueeze(-1), (-total).exp()))


def _integrated(own: Tensor, pi: Tensor, at: Tensor, kappa: float, kappa_s: float) -> Tensor:
    """L `[b, ..., K]`, with 0 at the token's own class."""
    pi_z, own_z = pi[at], own.gather(-1, at)
    gap = own_z - pi_z
    base = pi_z + kappa * gap
    # A token that pi can't produce was never redrawn, and has no way back.
    free = pi_z > 0
    base = torch.where(free, base, 1.0)
    grown = gap * (kappa_s - kappa) / base
    shape = torch.where(grown == 0, 1.0, grown.log1p() / torch.where(grown == 0, 1.0, grown))
    g = (kappa_s - kappa) / base * shape
    rates = pi * math.log(kappa_s / kappa) + (pi_z * own - pi * own_z) * g
    return torch.where(free, rates.clamp_min(0.0), 0.0).scatter(-1, at, 0.0)
