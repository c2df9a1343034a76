r"""Adaptive projected guidance (APG): strong guidance without over-saturation.

Sadat et al. 2024, algorithm 1, on the predicted x. With d_t = x - x_null + momentum·d_(t-1), scaled
down to the length `norm` where it is longer, and split into the parts along x and across it,

    x_guided = x + s·(d_across + parallel·d_along)

The part along x mostly raises contrast. Without norm and momentum, and with parallel = 1, this is
classifier-free guidance.
"""

from typing import Any, ClassVar

from torch import Tensor

from ..base import Batch, Guidance, Noise, Predict
from ..errors import require
from ..tree import State
from .denoised import gaussian, replace
from .null import both, drop


class Project(Guidance):
    """Guide across the prediction more than along it.

    Args:
        strength: s; 0 is the plain conditional model.
        parallel: share of the part along x that is kept.
        norm: largest length of the difference, over all elements of a sample; None for no limit.
        momentum: weight of the difference before; negative values push away from it.
        dropout: probability that a training sample's condition is replaced by the null condition.
    """

    strength: float = 1.0
    parallel: float = 0.0
    norm: float | None = None
    momentum: float = -0.5
    dropout: float = 0.1
    conditional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(self.strength >= 0, "Project.strength", ">= 0", self.strength)
        require(self.norm is None or self.norm > 0, "Project.norm", "> 0, or None", self.norm)
        require(-1 < self.momentum < 1, "Project.momentum", "-1 to 1", self.momentum)
        require(0 <= self.dropout <= 1, "Project.dropout", "0 to 1", self.dropout)

    def corrupt(self, batch: Batch[Any]) -> None:
        drop(batch, self.dropout)

    def fits(self, noise: Noise[Any]) -> str | None:
        return gaussian(self, noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        if self.strength == 0:
            return predict
        before: list[Tensor] = []

        def guided(z: Tensor, y: State, t: Any) -> State:
            hat, null = both(predict, z, y, t)
            x = noise.predict(z, t, hat)
            difference = x - noise.predict(z, t, null)
            if self.momentum and before:
                difference = difference + self.momentum * before.pop()
            before[:] = [difference]
            return replace(noise, z, t, hat, x + self.strength * self._update(difference, x))

        return guided

    def _update(self, difference: Tensor, x: Tensor) -> Tensor:
        if self.norm is not None:
            difference = difference * (self.norm / _dot(difference, difference).sqrt()).clamp_max(1)
        along = x * (_dot(difference, x) / _dot(x, x).clamp_min(1e-12))
        return difference - (1 - self.parallel) * along


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each sample, `[b, 1, ...]`."""
    return (a * b).sum(dim=tuple(range(1, a.dim())), keepdim=True)
