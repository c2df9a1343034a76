r"""Manifold-constrained classifier-free guidance (CFG++).

Chung et al. 2024, algorithm 2: the clean x is read from a prediction between the unconditional and
the conditional one, and the noise that is put back from the unconditional one alone,

    x from hat_null + lambda·(hat - hat_null),    epsilon from hat_null

so that samples stay where the model has seen noisy data. A DDIM step is then one of classifier-free
guidance with 1 + s = lambda·signal_s/(signal_s - signal·sigma_s/sigma): weak in large steps, strong
in small ones, so lambda is to be chosen for the number of steps.

Tokens have no epsilon: their noise is what they are, z. Of a joint state the Gaussian parts are
guided, and the others keep the conditional prediction.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from ..base import Batch, Guidance, Noise, Predict
from ..noise.gaussian import Gaussian
from ..noise.split import Split, for_epsilon, for_x
from ..tree import State
from .denoised import somewhere
from .null import both, drop
from .number import number
from .parts import each


class PlusPlus(Guidance):
    """x from the guided prediction, epsilon from the unconditional one.

    Args:
        scale: lambda, usually 0 (unconditional) to 1 (x as the conditional model sees it).
        dropout: probability that a training sample's condition is replaced by the null condition.
    """

    scale: float = 0.6
    dropout: float = 0.1
    conditional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        number("PlusPlus.scale", self.scale)
        number("PlusPlus.dropout", self.dropout, 0, 1)

    def corrupt(self, batch: Batch[Any]) -> None:
        drop(batch, self.dropout)

    def fits(self, noise: Noise[Any]) -> str | None:
        return somewhere(self, noise, "guidance.ClassifierFree()")

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        def guided(z: State, y: State, t: Any) -> State:
            return each(self._guided, noise, *both(predict, z, y, t))

        return guided

    def _guided(self, noise: Any, hat: Any, null: Any) -> Any:
        if not isinstance(noise, Gaussian):
            return hat
        return Split(self._between(for_x(hat), for_x(null)), for_epsilon(null))

    def _between(self, hat: Tensor, null: Tensor) -> Tensor:
        first = torch.lerp(null[:1], hat[:1], self.scale)
        return first if len(hat) == 1 else torch.cat([first, hat[1:]])
