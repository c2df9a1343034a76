r"""Classifier-free guidance: $\hat y + s(\hat y - \hat{\varnothing})$.

Ho & Salimans 2022, equation 6, in terms of whatever the network predicts: the combination's
weights add up to one, so it commutes with every change of parametrisation, and on logits it is
the combination of log-probabilities. For a single token it is the posterior of the law
p(x | y)^(1+s) / p(x)^s, under any categorical noise and at any time.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from ..base import Batch, Guidance, Predict
from ..noise.gaussian import Gaussian
from ..tree import State
from .null import both, drop
from .number import number
from .parts import combined


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
        number("ClassifierFree.dropout", self.dropout, 0, 1)
        number("ClassifierFree.strength", self.strength)

    def corrupt(self, batch: Batch[Any]) -> None:
        drop(batch, self.dropout)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        if self.strength == 0:
            return predict

        def combine(part: Any, hat: Tensor, null: Tensor) -> Tensor:
            return away(part, hat, null, self.strength)

        def guided(z: State, y: State, t: Any) -> State:
            return combined(combine, noise, *both(predict, z, y, t))

        return guided


def away(noise: Any, hat: Tensor, null: Tensor, strength: float) -> Tensor:
    """hat + strength·(hat - null). A second parameter (a variance) is taken from `hat`.

    A logit that is -inf in `null`, of a class that can't be, is as in `hat`.
    """
    first = torch.lerp(null[:1], hat[:1], 1 + strength)
    if not isinstance(noise, Gaussian):
        first = torch.where(null[:1] == -torch.inf, hat[:1], first)
    return first if len(hat) == 1 else torch.cat([first, hat[1:]])
