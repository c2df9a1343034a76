r"""Guidance without over-exposure: the guided x keeps the standard deviation of the plain one.

Lin et al. 2023, section 3.4, equations 14-16, with amount phi:

    x = phi·x_guided·std(x_plain)/std(x_guided) + (1 - phi)·x_guided

std is over all elements of a sample. It is applied to x, so it means the same whatever the network
predicts. For tokens x is the vector of centred log-probabilities, see `diffusion.guidance.view`:
the factor is a temperature, one for each sample, at which the guided law of its tokens is as far
from the uniform one as the plain law is. The modalities of a joint state are rescaled one by one.
"""

from typing import Any

import torch
from torch import Tensor

from .. import tree
from ..base import Noise, Predict
from ..tree import State
from .around import Around
from .number import number
from .parts import each, outputs
from .view import View, unseen


class Rescale(Around):
    """Another guidance, scaled back to the spread of the plain prediction.

    Where that guidance asks for the plain prediction itself, together with others, it is not
    computed twice.

    Args:
        guidance: what is rescaled. amount: phi, 0 (not at all) to 1.
    """

    amount: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        number("Rescale.amount", self.amount, 0, 1)

    def fits(self, noise: Noise[Any]) -> str | None:
        return unseen(self, noise) or super().fits(noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        first: list[tuple[State, State, State]] = []  # the inner guidance's first call
        shared: list[tuple[State, bool]] = []  # whether, under y, its first rows are the plain ones

        def watched(z: State, y: State, t: Any) -> State:
            hat = predict(z, y, t)
            if not first:
                first.append((z, y, hat))
            return hat

        inner = self.guidance(watched, noise)

        def guided(z: State, y: State, t: Any) -> State:
            first.clear()
            hat, size = inner(z, y, t), tree.size(z)
            asked, under, known = first.pop() if first else (None, None, None)
            if not shared or shared[0][0] is not y:  # a new batch
                shared[:] = [(y, _same(z, asked) and _same(y, under))]
            plain = outputs(lambda one: one[:, :size], known) if shared[0][1] else predict(z, y, t)
            return each(self._scaled, noise, z, t, hat, plain)

        return guided

    def _scaled(self, noise: Any, z: Tensor, t: Any, hat: Any, plain: Any) -> Any:
        view = View(noise, z, t, hat, plain)
        goal, own = _spread(view.other), _spread(view.vector)
        ratio = torch.where(own > 0, goal / own, 1.0)
        return view.moved(self.amount * (ratio - 1) * view.vector)


def _spread(x: Tensor) -> Tensor:
    """The standard deviation of each sample, `[b, 1, ...]`."""
    return x.std(dim=tuple(range(1, x.dim())), keepdim=True, correction=0)


def _same(own: State, asked: State) -> bool:
    """Whether a batch begins with our own."""
    if isinstance(own, dict):
        return isinstance(asked, dict) and all(_same(own[key], asked[key]) for key in own)
    if not isinstance(asked, Tensor):
        return False
    return own.shape[1:] == asked.shape[1:] and torch.equal(own, asked[: len(own)])
