r"""The variational bound, one random term at a time.

    L = D(q(x_T | x_0) || p(x_T)) + sum_{t > 1} D(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t))
        - log p(x_0 | x_1)

Ho et al. 2020, equation 5. With t uniform on 1..T, T times the drawn term is an unbiased estimate
of the sum. The first, constant term is left to `Model.nll`, which evaluates the whole bound.
"""

import math
from typing import Any

import torch
from torch import Tensor

from .. import tree
from ..base import Batch, Distribution
from ..likelihood import reconstruction
from .algebra import Sampled
from .simple import Simple


class VLB(Sampled[Distribution]):
    """The bound in bits per dimension, estimated from the drawn times.

    With a learned variance, and a `Simple` in the same loss to train the mean, the mean's gradient
    is stopped here (Nichol & Dhariwal 2021, section 3.1).
    """

    def each(self, batch: Batch[Distribution]) -> Tensor:
        steps: int = batch.noise.clock.steps if hasattr(batch.noise, "clock") else batch.noise.steps
        hat = self._halted(batch)
        p = batch.p if hat is batch.hat else batch.noise.approximate(batch.z, batch.t, hat)
        first = batch.t <= 1 if not batch.t.is_floating_point() else batch.t <= 1 / steps
        dkl: Any = batch.q.dkl(p)
        decoder = reconstruction(batch.noise, batch.data, batch.w, batch.x, batch.z, batch.t, hat)
        nats: Tensor = torch.where(first, decoder, tree.total(dkl))
        each: Tensor = nats * (steps / (math.log(2) * batch.w[0].numel()))
        return each

    def _halted(self, batch: Batch[Distribution]) -> Tensor:
        learned = getattr(batch.noise, "variance", "fixed") != "fixed"
        terms = batch.loss.terms() if batch.loss is not None else []
        if learned and any(isinstance(term, Simple) for _, term in terms):
            return torch.cat([batch.hat[:1].detach(), batch.hat[1:]])
        return batch.hat
