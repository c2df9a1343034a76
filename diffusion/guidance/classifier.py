r"""Classifier guidance: the score of p(y | z)^s, by a classifier of noisy states, is added.

    ∇log p(z) + s·∇_z log p(y | z)

Dhariwal & Nichol 2021, algorithms 1 and 2. By Bayes' rule s = 1 on an unconditional network is
exactly the conditional one.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..base import Guidance, Noise, Predict
from ..errors import InputError, require
from ..sampling.network import Evaluating
from ..tree import State
from .auto import row
from .denoised import gaussian, move
from .null import null
from .slope import slope


class Classifier(Guidance):
    """Guide by the gradient of a classifier that was trained on noisy states.

    Args:
        net: `net(z, t) -> logits [b, K]` of the classes 1..K, on the state z itself. It is not
            trained here, and a saved model does not hold it: give the guidance again when loading.
        strength: s; 0 is the plain prediction. Samples with the null condition are not guided.
        blind: ask the network for the null condition: for networks that know no classes, or to
            leave the condition to the classifier.
    """

    net: nn.Module
    strength: float = 1.0
    blind: bool = False
    conditional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        is_module = isinstance(self.net, nn.Module)
        require(is_module, "Classifier.net", "a classifier (nn.Module)", type(self.net).__name__)
        require(self.strength >= 0, "Classifier.strength", ">= 0", self.strength)
        vars(self).update(conditional=not self.blind, reads=True)

    def fits(self, noise: Noise[Any]) -> str | None:
        return gaussian(self, noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        evaluating = Evaluating(self.net)

        def guided(z: Tensor, y: State, t: Any) -> State:
            hat = predict(z, null(y) if self.blind else y, t)
            if self.strength == 0:
                return hat
            with evaluating, slope(z) as taken:
                logs = _log_p(self.net(taken.point, row(t, z)), y)
                score = taken.result(taken.of(logs))
            return move(noise, z, t, hat, self.strength * score)

        return guided


def _log_p(logits: Tensor, y: State) -> Tensor:
    """log p(y | z), `[b]`; 0 for the null condition."""
    ids = isinstance(y, Tensor) and y.dim() == 1 and not y.is_floating_point()
    if not ids or logits.dim() != 2 or len(logits) != len(y):
        shape = list(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise InputError(
            f"Classifier: expected class ids y [b] and logits [b, K]; got y {shape} and logits "
            f"{list(logits.shape)}."
        )
    column = (y - 1).clamp_min(0).unsqueeze(1)
    logs = torch.log_softmax(logits, 1).gather(1, column).squeeze(1)
    return torch.where(y > 0, logs, torch.zeros_like(logs))
