r"""Classifier guidance: the score of p(y | z)^s, by a classifier of noisy states, is added.

    ∇log p(z) + s·∇_z log p(y | z)

Dhariwal & Nichol 2021, algorithms 1 and 2. By Bayes' rule s = 1 on an unconditional network is
exactly the conditional one. For masked tokens see `diffusion.guidance.substitute`. The parts of a
joint state are guided one by one, by a classifier of all of them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .. import tree
from ..base import Guidance, Noise, Predict
from ..errors import InputError, require
from ..noise.gaussian import Gaussian
from ..noise.joint import Joint
from ..noise.redraw import Absorbing
from ..sampling.network import Evaluating
from ..tree import State
from .auto import row
from .denoised import move
from .null import null, repeated
from .number import number
from .parts import each, members, written
from .slope import ordinary, slope
from .substitute import likelihoods


class Classifier(Guidance):
    """Guide by a classifier that was trained on noisy states.

    Args:
        net: `net(z, t) -> logits [b, K]` of the classes 1..K, on the state z itself; for joint
            states z and t are dicts. It is not trained here, and a saved model does not hold it:
            give the guidance again when loading.
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
        number("Classifier.strength", self.strength)
        vars(self).update(conditional=not self.blind, reads=True)

    def fits(self, noise: Noise[Any]) -> str | None:
        odd = [part for part in members(noise) if not isinstance(part, (Gaussian, Absorbing))]
        if not odd:
            return None
        return (
            f"Classifier moves the x of a Gaussian process, or fills in masks, and "
            f"{type(odd[0]).__name__} has neither: what a noisy state says of y is not what its "
            "clean tokens say. Use noise.Gaussian, noise.Absorbing, or guidance.ClassifierFree()."
        )

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        evaluating = Evaluating(self.net)

        def guided(z: State, y: State, t: Any) -> State:
            hat = predict(z, null(y) if self.blind else y, t)
            if self.strength == 0:
                return hat
            at = each(lambda _, own: row(own, z), noise, t)

            def says(replaced: Callable[[Tensor], State], own: Tensor) -> Tensor:
                """log p(y | z) for copies of the batch with other values of one part."""
                count = len(own) // tree.size(z)
                times, labels = repeated(ordinary(at), count), repeated(ordinary(y), count)
                with evaluating:
                    return _log_p(self.net(replaced(own), times), labels)

            if not isinstance(noise, Joint):
                return self._guided(noise, z, t, hat, partial(says, lambda own: own))
            return {
                key: self._guided(
                    part, z[key], t[key] if isinstance(t, dict) else t, hat[key],
                    partial(says, partial(_with, z, key)),
                )
                for key, part in noise.parts.items()
            }  # fmt: skip

        return guided

    def _guided(
        self, noise: Any, z: Tensor, t: Any, hat: Any, says: Callable[[Tensor], Tensor]
    ) -> Any:
        if isinstance(noise, Gaussian):
            with slope(z) as taken:
                score = taken.result(taken.of(says(taken.point)))
            return move(noise, z, t, hat, self.strength * score)
        log_p = noise.predict(z, t, hat)
        change = self.strength * likelihoods(says, noise, z)
        return written(noise, log_p + change.to(log_p.dtype), hat)


def _with(z: dict[str, Tensor], key: str, own: Tensor) -> dict[str, Tensor]:
    """Copies of a joint state with other values of one part."""
    count = len(own) // tree.size(z)
    return {**repeated(ordinary(z), count), key: own}


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
