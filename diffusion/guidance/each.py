r"""A strength for each of several conditions:

    \hat y_n + \sum_i s_i(\hat y_i - \hat y_{i-1}),

where $\hat y_i$ is the prediction with the first i of n conditions. Brooks et al. 2023
(InstructPix2Pix), equation 3, for two, with weights 1 + s. With one strength for all the sum
telescopes: it is classifier-free guidance.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import tree
from ..base import Batch, Guidance, Predict
from ..errors import InputError, require
from ..net.beside import OWN
from ..noise.gaussian import Gaussian
from ..tree import State
from .compose import FLOOR
from .null import repeated
from .number import number
from .parts import combined


class Each(Guidance):
    """Guidance by conditions that have names, each with a strength, dropped independently.

    Args:
        strengths: s by the names of the conditions, in the order they are added; 0 is the plain
            conditional model. "y" is the network's own, and that of a network which has no other.
            Conditions that are not named here are always kept.
        dropout: probability that a condition of a training sample is replaced by the null
            condition, for each of the named ones on its own.
    """

    strengths: Mapping[str, float]
    dropout: float = 0.1
    conditional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        given = isinstance(self.strengths, Mapping) and len(self.strengths) > 0
        wanted = "a number for each condition by its name, such as {'text': 1.0}"
        require(given, "Each.strengths", wanted, repr(self.strengths))
        for name, strength in self.strengths.items():
            number(f"Each.strengths[{name!r}]", strength)
        number("Each.dropout", self.dropout, 0, 1)

    def corrupt(self, batch: Batch[Any]) -> None:
        size, y = tree.size(batch.y), _named(batch.y)
        lost = {name: torch.rand(size) < self.dropout for name in self.strengths}
        missing = [name for name in lost if name not in y]
        if missing:
            raise InputError(
                f"{self!r}: the data have no condition {missing[0]!r}; they have {', '.join(y)}."
            )
        kept: State = {
            name: _without(value, lost[name]) if name in lost else value
            for name, value in y.items()
        }
        batch.y = kept if isinstance(batch.y, dict) else kept[OWN]

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        def guided(z: State, y: State, t: Any) -> State:
            told = _named(y)
            names = [name for name in self.strengths if name in told]
            if not names:
                return predict(z, y, t)
            copies = len(names) + 1
            several = tree.cat([_none(told, names[i:]) for i in range(copies)])
            every = several if isinstance(y, dict) else several[OWN]
            hat = predict(tree.cat([z] * copies), every, repeated(t, copies))
            strengths = [self.strengths[name] for name in names]

            def combine(part: Any, hat: Tensor) -> Tensor:
                return _added(part, hat, strengths)

            return combined(combine, noise, hat)

        return guided


def _named(y: State) -> dict[str, Any]:
    """Conditions by name; a single one is the network's own."""
    return y if isinstance(y, dict) else {OWN: y}


def _none(y: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Conditions of which some are null."""
    return {k: tree.map(torch.zeros_like, v) if k in names else v for k, v in y.items()}


def _without(value: State, lost: Tensor) -> State:
    def one(part: Tensor) -> Tensor:
        return torch.where(tree.rows(lost.to(part.device), part), torch.zeros_like(part), part)

    return tree.map(one, value)


def _added(noise: Any, hat: Tensor, strengths: list[float]) -> Tensor:
    """The sum; a second parameter (a variance) is that under all conditions."""
    parts = hat.chunk(len(strengths) + 1, dim=1)
    first = parts[-1][:1]
    for i, strength in enumerate(strengths):
        gap = parts[i + 1][:1] - parts[i][:1]
        if not isinstance(noise, Gaussian):  # a class that can't be, with or without
            gap = gap.nan_to_num(0.0, FLOOR, -FLOOR).clamp(-FLOOR, FLOOR)
        first = torch.add(first, gap, alpha=strength)
    return first if len(hat) == 1 else torch.cat([first, parts[-1][1:]])
