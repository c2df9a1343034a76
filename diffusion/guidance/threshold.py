r"""Thresholding: the predicted x is kept in the range of the data.

Saharia et al. 2022 (Imagen), section 2.3. static: x is clipped to [-limit, limit]. dynamic: with
s the `quantile` of |x| in a sample, but at least limit, x is clipped to [-s, s] and divided by
s/limit: saturated samples are pulled in, not cut off. Tokens have no range: of a joint state, the
Gaussian parts are kept in theirs.
"""

from typing import Any

import torch
from torch import Tensor

from ..base import Guidance, Noise, Predict
from ..errors import choose, require
from ..noise.gaussian import Gaussian
from ..tree import State
from .denoised import replace, somewhere
from .number import number, positive
from .parts import each


class Threshold(Guidance):
    """Clip the predicted x, for data in [-limit, limit]. To the right of other guidance.

    Args:
        mode: "dynamic" or "static". quantile: of the dynamic mode. limit: the data's largest size.
    """

    mode: str = "dynamic"
    quantile: float = 0.995
    limit: float = 1.0

    def __post_init__(self) -> None:
        choose("Threshold.mode", self.mode, ("dynamic", "static"))
        number("Threshold.quantile", self.quantile, 0, 1)
        require(self.quantile > 0, "Threshold.quantile", "a share > 0", self.quantile)
        positive("Threshold.limit", self.limit)

    def fits(self, noise: Noise[Any]) -> str | None:
        return somewhere(self, noise, "guidance.Nucleus and guidance.Temperature for tokens")

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        def guided(z: State, y: State, t: Any) -> State:
            return each(self._guided, noise, z, t, predict(z, y, t))

        return guided

    def _guided(self, noise: Any, z: Tensor, t: Any, hat: Any) -> Any:
        if not isinstance(noise, Gaussian):
            return hat
        return replace(noise, z, t, hat, self._clipped(noise.predict(z, t, hat)))

    def _clipped(self, x: Tensor) -> Tensor:
        if self.mode == "static":
            return x.clamp(-self.limit, self.limit)
        sizes = x.flatten(1).abs()
        rank = max(1, round(self.quantile * sizes.shape[1]))
        edge = sizes.kthvalue(rank, dim=1).values.clamp_min(self.limit)
        edge = edge.reshape(-1, *(1,) * (x.dim() - 1))
        return torch.minimum(torch.maximum(x, -edge), edge) * (self.limit / edge)
