r"""Adaptive projected guidance (APG): strong guidance without over-saturation.

Sadat et al. 2024, algorithm 1, on the predicted x. With d = x - x_null + momentum·d_before, scaled
down to the length `norm` where it is longer, and split into the parts along x and across it,

    x_guided = x + s·(d_across + parallel·d_along)

The part along x mostly raises contrast. Without norm and momentum, and with parallel = 1, this is
classifier-free guidance. For tokens x is the vector of centred log-probabilities, see
`diffusion.guidance.view`: the part along it only sharpens the law, as a temperature does, and the
part across it changes which tokens are preferred. Lengths are then in nats. The modalities of a
joint state are guided one by one, each with its own length.

d_before is the one of the next higher time: see `diffusion.guidance.momentum` for what that is
under solvers that call the network several times a step.
"""

from typing import Any, ClassVar

from torch import Tensor

from ..base import Batch, Guidance, Noise, Predict
from ..errors import require
from ..tree import State
from .momentum import Momentum
from .null import both, drop
from .number import number, positive
from .parts import each
from .view import View, inner, unseen


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
        number("Project.strength", self.strength)
        number("Project.parallel", self.parallel)
        if self.norm is not None:
            positive("Project.norm", self.norm, "a number > 0, or None")
        number("Project.momentum", self.momentum, -1, 1)
        require(abs(self.momentum) < 1, "Project.momentum", "less than 1 in size", self.momentum)
        number("Project.dropout", self.dropout, 0, 1)

    def corrupt(self, batch: Batch[Any]) -> None:
        drop(batch, self.dropout)

    def fits(self, noise: Noise[Any]) -> str | None:
        return unseen(self, noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        if self.strength == 0:
            return predict
        memory = each(lambda _: Momentum(self.momentum), noise)

        def guided(z: State, y: State, t: Any) -> State:
            hat, null = both(predict, z, y, t)
            return each(self._guided, noise, memory, z, t, hat, null)

        return guided

    def _guided(self, noise: Any, memory: Momentum, z: Tensor, t: Any, hat: Any, null: Any) -> Any:
        view = View(noise, z, t, hat, null)
        difference = view.vector - view.other
        if self.momentum:
            difference = view.kept(memory(t, difference))
        return view.moved(self.strength * self._update(difference, view.vector))

    def _update(self, difference: Tensor, x: Tensor) -> Tensor:
        if self.norm is not None:
            length = inner(difference, difference).sqrt()
            difference = difference * (self.norm / length).clamp_max(1)
        along = x * (inner(difference, x) / inner(x, x).clamp_min(1e-12))
        return difference - (1 - self.parallel) * along
