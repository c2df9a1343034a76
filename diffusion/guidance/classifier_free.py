r"""Classifier-free guidance: $\hat y + s(\hat y - \hat{\varnothing})$.

Ho & Salimans 2022, equation 6, in terms of whatever the network predicts: the combination's
weights add up to one, so it commutes with every change of parametrisation, and on logits it is
the combination of log-probabilities.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from ..base import Batch, Guidance, Predict
from ..errors import require
from ..noise.gaussian import Gaussian
from ..noise.split import each
from ..tree import State
from .null import both, drop


class ClassifierFree(Guidance):
    """Train with dropped labels, sample away from the unconditional prediction.

    Args:
        dropout: probability that a training sample's condition is replaced by the null condition.
        strength: s; 0 is the plain conditional model.
    """

    dropout: float = 0.1
    strength: float = 1.0
    conditional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(0 <= self.dropout <= 1, "ClassifierFree.dropout", "0 to 1", self.dropout)
        require(self.strength >= 0, "ClassifierFree.strength", ">= 0", self.strength)

    def corrupt(self, batch: Batch[Any]) -> None:
        drop(batch, self.dropout)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        if self.strength == 0:
            return predict

        combine = away if isinstance(noise, Gaussian) else away_possible

        def guided(z: State, y: State, t: Any) -> State:
            hat, null = both(predict, z, y, t)
            return each(lambda one, other: combine(one, other, self.strength), hat, null)

        return guided


def away(hat: Tensor, null: Tensor, strength: float) -> Tensor:
    """hat + strength·(hat - null). A second parameter (a variance) is taken from `hat`."""
    first = torch.lerp(null[:1], hat[:1], 1 + strength)
    return first if len(hat) == 1 else torch.cat([first, hat[1:]])


def away_possible(hat: Tensor, null: Tensor, strength: float) -> Tensor:
    """The same for logits: one that is -inf, a class that can't be, is as in `hat`."""
    return torch.where(null == -torch.inf, hat, away(hat, null, strength))
