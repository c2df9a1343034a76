r"""Several conditions at once: $\hat{\varnothing} + \sum_i w_i(\hat y_i - \hat{\varnothing})$.

Liu et al. 2022 (composable diffusion), equation 11: the score of p(z)·Π (p(z | y_i)/p(z))^w_i, that
is of p(z | y_1..y_n) for weights of one and conditions that are independent given z. With one
condition and w = 1 + s it is classifier-free guidance; a negative weight turns away.

On log-probabilities it is the law p(x)·Π (p(x | y_i)/p(x))^w_i of a token. A class that a condition
rules out counts as exp(-`FLOOR`) times less likely than without it, so that conditions which
contradict each other, or a negative weight, leave a law.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import tree
from ..base import Batch, Guidance, Predict
from ..errors import InputError
from ..noise.gaussian import Gaussian
from ..tree import State
from .null import drop, null, repeated
from .number import number, numbers
from .parts import combined

FLOOR = 1e4
"""In nats."""


class Compose(Guidance):
    """Sample under several conditions, one call of the network for all of them.

    The conditions of a sampling are class ids `[b, n]` (or names: `y=[["red", "square"]]`), or
    tensors, or dicts of tensors, `[b, n, ...]`. A null condition has no part.

    Args:
        weights: w_i, one for each of the n conditions.
        dropout: probability that a training sample's condition is replaced by the null condition.
    """

    weights: tuple[float, ...]
    dropout: float = 0.1
    conditional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        expected = "a finite number for each condition, such as (1.0, 0.5)"
        self.weights = numbers("Compose.weights", self.weights, expected)
        number("Compose.dropout", self.dropout, 0, 1)

    def corrupt(self, batch: Batch[Any]) -> None:
        drop(batch, self.dropout)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        count = len(self.weights)

        def guided(z: State, y: State, t: Any) -> State:
            given = [tree.map(lambda one, i=i: self._condition(one, i), y) for i in range(count)]
            every = tree.cat([*given, null(given[0])])
            hat = predict(tree.cat([z] * (count + 1)), every, repeated(t, count + 1))
            return combined(self._combine, noise, hat)

        return guided

    def _condition(self, y: Tensor, index: int) -> Tensor:
        """The condition of one index for every sample; a single one may come without an axis."""
        if len(self.weights) == 1 and y.dim() == 1:
            return y
        if y.dim() < 2 or y.shape[1] != len(self.weights):
            raise InputError(
                f"{self!r}: expected {len(self.weights)} conditions for each sample, y of shape "
                f"[b, {len(self.weights)}, ...]; got {list(y.shape)}."
            )
        return y[:, index]

    def _combine(self, noise: Any, hat: Tensor) -> Tensor:
        *given, base = hat.chunk(len(self.weights) + 1, dim=1)
        first = base[:1]
        for weight, one in zip(self.weights, given, strict=True):
            gap = one[:1] - base[:1]
            gap = gap if isinstance(noise, Gaussian) else gap.clamp_min(-FLOOR)
            first = torch.add(first, gap, alpha=weight)
        if not isinstance(noise, Gaussian):
            first = torch.where(base[:1] == -torch.inf, base[:1], first)
        return first if len(hat) == 1 else torch.cat([first, given[0][1:]])
