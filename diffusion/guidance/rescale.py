r"""Guidance without over-exposure: the guided x keeps the standard deviation of the plain one.

Lin et al. 2023, section 3.4, equations 14-16, with amount phi:

    x = phi·x_guided·std(x_plain)/std(x_guided) + (1 - phi)·x_guided

std is over all elements of a sample. It is applied to x, so it means the same whatever the network
predicts.
"""

from typing import Any

import torch
from torch import Tensor

from ..base import Noise, Predict
from ..errors import require
from ..noise.split import for_x
from ..tree import State
from .around import Around
from .denoised import gaussian, replace


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
        require(0 <= self.amount <= 1, "Rescale.amount", "0 to 1", self.amount)

    def fits(self, noise: Noise[Any]) -> str | None:
        return gaussian(self, noise) or super().fits(noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        first: list[tuple[State, State, State]] = []  # the inner guidance's first call
        shared: list[bool] = []  # whether its first rows are the plain prediction

        def watched(z: State, y: State, t: Any) -> State:
            hat = predict(z, y, t)
            first.append((z, y, hat))
            return hat

        inner = self.guidance(watched, noise)

        def guided(z: Tensor, y: State, t: Any) -> State:
            first.clear()
            hat = inner(z, y, t)
            asked, under, plain = first[0]
            if not shared:
                shared.append(_same(z, asked) and _same(y, under))
            if not shared[0]:
                plain = predict(z, y, t)
            x, own = noise.predict(z, t, hat), for_x(plain)[:, : len(z)]
            goal, own = _spread(noise.predict(z, t, own)), _spread(x)
            ratio = torch.where(own > 0, goal / own, 1.0)
            return replace(noise, z, t, hat, x * (1 - self.amount + self.amount * ratio))

        return guided


def _spread(x: Tensor) -> Tensor:
    """The standard deviation of each sample, `[b, 1, ...]`."""
    return x.std(dim=tuple(range(1, x.dim())), keepdim=True, correction=0)


def _same(own: State, asked: State) -> bool:
    """Whether a batch begins with our own."""
    if isinstance(own, dict):
        return all(_same(own[key], asked[key]) for key in own)
    return own.shape[1:] == asked.shape[1:] and torch.equal(own, asked[: len(own)])
