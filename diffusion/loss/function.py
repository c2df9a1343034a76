"""Losses from functions, and of joint states."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..base import Batch, Distribution, Loss
from ..errors import InputError
from .algebra import measured


class Lambda(Loss[Distribution]):
    """Any function of a batch: `Lambda(lambda batch: (batch.x - batch.hat[0]).abs().mean())`.

    A Python function is not saved with the model; `Model.load(folder, loss=...)` gives it again.
    """

    function: Callable[[Batch[Any]], Tensor]

    def compute(self, batch: Batch[Distribution]) -> Tensor:
        return self.function(batch)


class Joint(Loss[Distribution]):
    """The sum of one loss for each modality of a joint state, by name."""

    parts: dict[str, Any]

    def compute(self, batch: Batch[Distribution]) -> Tensor:
        total: Tensor | float = 0.0
        for key, loss in self.parts.items():
            part = batch.part(key)
            part.log = {}
            total = total + measured(loss, part)
            batch.log.update({f"{key}.{name}": value for name, value in part.log.items()})
        if not isinstance(total, Tensor):
            raise InputError("loss.Joint: expected at least one part, got {}.")
        return total

    def terms(self) -> list[tuple[str, Loss[Any]]]:
        return [
            (f"{key}.{name}", term)
            for key, loss in self.parts.items()
            for name, term in loss.terms()
        ]
