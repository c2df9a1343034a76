r"""Categorical distributions over k classes, kept as logits."""

from typing import Self

import torch
from torch import Tensor

from ..base import Distribution
from ..rng import Rng, uniform


class Categorical(Distribution):
    """Independent categorical distributions.

    Args:
        logits: `[..., k]`, log-probabilities up to a constant; -inf is an impossible class.
        onehot: whether values are one-hot vectors `[..., k]` instead of ids `[...]`. Then `nll` and
            `dkl` keep a last axis of size 1, so that they have the rank of the values.
    """

    logits: Tensor
    onehot: bool = False

    @classmethod
    def of(cls, p: Tensor, onehot: bool = False) -> Self:
        """From probabilities `[..., k]`, normalised or not."""
        return cls(p.log(), onehot)

    @property
    def p(self) -> Tensor:
        """The probabilities, `[..., k]`."""
        return self.logits.softmax(-1)

    def sample(self, rng: Rng = None) -> tuple[Tensor, None]:
        """Ids `[...]`, or one-hot vectors, by inversion: one float64 uniform for each variable."""
        cdf = self.p.double().cumsum(-1)
        total = cdf[..., -1:]
        u = uniform(total, rng) * total
        u = torch.minimum(u, torch.nextafter(total, torch.zeros_like(total)))
        # Where p is NaN the search ends beyond the last class, which no network could look up.
        ids = torch.searchsorted(cdf, u, right=True).squeeze(-1).clamp_max(cdf.shape[-1] - 1)
        if not self.onehot:
            return ids, None
        return torch.nn.functional.one_hot(ids, self.logits.shape[-1]).to(self.logits.dtype), None

    def nll(self, x: Tensor) -> Tensor:
        """-log p(x) in nats, for ids or one-hot vectors."""
        logp = self.logits.log_softmax(-1)
        if not self.onehot:
            return -logp.gather(-1, x.unsqueeze(-1)).squeeze(-1)
        return -_expect(x, logp)

    def dkl(self, other: Self) -> Tensor:
        """Sum of p·(log p - log p') over the classes that have p > 0."""
        logp = self.logits.log_softmax(-1)
        p = logp.exp()
        gap = logp.masked_fill(p == 0, 0.0) - other.logits.log_softmax(-1).masked_fill(p == 0, 0.0)
        value = (p * gap).sum(-1, keepdim=True)
        return value if self.onehot else value.squeeze(-1)


def _expect(weight: Tensor, value: Tensor) -> Tensor:
    """Sum of weight·value over the last axis where 0·inf counts as 0."""
    return (weight * value.masked_fill(weight == 0, 0.0)).sum(-1, keepdim=True)
