r"""Remasking: tokens that were revealed may be masked again. ReMDM, Wang et al. 2025.

For absorbing noise with kappa the share of tokens that are shown, a step from t to s is

    a shown token is masked with probability sigma
    a masked one is drawn from p(x | z) with probability (kappa_s - (1 - sigma)·kappa)/(1 - kappa)

which has the marginals of the forward process for any 0 <= sigma <= limit = (1 - kappa_s)/kappa, at
most 1. sigma = 0 is ancestral sampling. Errors that were made early can be mended, but tokens that
were masked together are also drawn together again: with an exact network the law's error falls as
steps^(-1/2), and as 1/steps without remasking. The schedules of sigma are the paper's ReMDM-cap
and ReMDM-rescale.
"""

from typing import Any

import torch
from torch import Tensor

from ...base import Noise
from ...distribution import Categorical
from ...errors import choose
from ..settings import within
from .tokens import Leap, masks


class Remask(Leap):
    """Ancestral sampling of absorbing noise that masks some of the revealed tokens again.

    Args:
        strength: from 0, none, to 1, as many as the marginals allow.
        how: "cap": sigma = min(strength, limit), a constant share in most steps; "rescale":
            sigma = strength·limit, more of them early.
    """

    strength: float = 0.02
    how: str = "cap"

    def __post_init__(self) -> None:
        within("Remask.strength", self.strength, 0, 1)
        choose("Remask.how", self.how, ("cap", "rescale"))

    def fits(self, noise: Noise[Any]) -> str | None:
        return masks(self, noise)

    def law(self, noise: Any, z: Tensor, t: Any, s: Any, hat: Tensor) -> Categorical:
        kappa, kappa_s = noise.clock.kappa(t), noise.clock.kappa(s)
        sigma = self.share(kappa, kappa_s)
        drawn = min(1.0, (kappa_s - (1 - sigma) * kappa) / (1 - kappa))  # but for rounding
        p, at = noise.predict(z, t, hat).exp(), z.unsqueeze(-1)
        mask = torch.full_like(at, noise.mask)
        masked = (drawn * p).scatter(-1, mask, 1 - drawn)
        shown = torch.zeros_like(p).scatter(-1, at, 1 - sigma).scatter(-1, mask, sigma)
        return Categorical.of(torch.where(at == noise.mask, masked, shown))

    def share(self, kappa: float, kappa_s: float) -> float:
        """sigma: the probability that a token that is shown is masked."""
        limit = min(1.0, (1 - kappa_s) / kappa) if kappa > 0 else 1.0
        return min(self.strength, limit) if self.how == "cap" else self.strength * limit
