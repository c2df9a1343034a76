r"""Classifier-free guidance: $\hat y + s(\hat y - \hat{\varnothing})$.

Ho & Salimans 2022, equation 6, in terms of whatever the network predicts: the combination's
weights add up to one, so it commutes with every change of parametrisation, and on logits it is
the combination of log-probabilities.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import tree
from ..base import Batch, Guidance, Predict
from ..errors import require
from ..tree import State


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
        size = tree.size(batch.y)
        lost = torch.rand(size) < self.dropout

        def drop(y: Tensor) -> Tensor:
            return torch.where(tree.rows(lost.to(y.device), y), torch.zeros_like(y), y)

        batch.y = tree.map(drop, batch.y)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        if self.strength == 0:
            return predict

        def guided(z: State, y: State, t: Any) -> State:
            null = tree.map(torch.zeros_like, y)
            both = predict(tree.cat([z, z]), tree.cat([y, null]), _twice(t))
            return tree.map(self._combine, both)

        return guided

    def _combine(self, both: Tensor) -> Tensor:
        conditional, plain = both.chunk(2, dim=1)
        first = torch.lerp(plain[:1], conditional[:1], 1 + self.strength)
        # A second parameter (a variance) is taken from the conditional prediction.
        return first if len(both) == 1 else torch.cat([first, conditional[1:]])


def _twice(t: Any) -> Any:
    return tree.map(lambda one: torch.cat([one, one]) if isinstance(one, Tensor) else one, t)
