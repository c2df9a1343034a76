r"""Autoguidance: away from a weaker model of the same thing, $\hat y + s(\hat y - \hat y_{weak})$.

Karras et al. 2024, "Guiding a diffusion model with a bad version of itself", equation 4 with
w = 1 + s. The weaker network, one trained shorter or a smaller one, makes the same mistakes,
larger; it sees the same condition, so that nothing is lost in variety, and no labels are dropped.
For tokens it is log-probabilities that are extrapolated.
"""

from typing import Any

import torch
from torch import Tensor, nn

from .. import tree
from ..base import Guidance, Net, Predict
from ..errors import require
from ..net.chain import Chain
from ..sampling.network import Evaluating
from ..tree import State
from .classifier_free import away
from .number import number
from .parts import combined


class Auto(Guidance):
    """Guide with a weaker network of the same parametrisation.

    Args:
        net: the weaker network, called like the model's own: `net(z, y, t) -> hat`. It is not
            trained, and runs in evaluation mode. A saved model does not hold it: give the guidance
            again when loading. One that predicts probabilities ends in `| nn.Softmax(-1)`.
        strength: s; 0 is the plain prediction.
    """

    net: nn.Module
    strength: float = 1.0

    def __post_init__(self) -> None:
        callable_module = isinstance(self.net, nn.Module)
        require(callable_module, "Auto.net", "a network (nn.Module)", type(self.net).__name__)
        number("Auto.strength", self.strength)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        if self.strength == 0:
            return predict
        weak = called(self.net, noise)

        def combine(part: Any, hat: Tensor, bad: Tensor) -> Tensor:
            return away(part, hat, bad, self.strength)

        def guided(z: State, y: State, t: Any) -> State:
            return combined(combine, noise, predict(z, y, t), weak(z, y, t))

        return guided


def called(net: nn.Module, noise: Any) -> Predict:
    """A network as guidance calls it: in evaluation mode, on what networks are shown of z."""
    evaluating = Evaluating(net)
    answer = net.under(noise) if isinstance(net, Net) else net
    # The model reads the logarithm of a network that ends in probabilities; then this one's too.
    ends = isinstance(net, Chain) and isinstance([*net.after][-1], nn.Softmax)
    logs = ends and getattr(noise, "parameter", None) == "logits"

    def predict(z: State, y: State, t: Any) -> State:
        with evaluating:
            hat = answer(noise.inputs(z, t), y, tree.map(lambda one: row(one, z), t))
        return hat.log() if logs else hat

    return predict


def row(t: Any, z: State) -> Tensor:
    """The time of each sample, as networks take it."""
    if isinstance(t, Tensor):
        return t
    return torch.full((tree.size(z),), t, device=tree.leaves(z)[0].device)
