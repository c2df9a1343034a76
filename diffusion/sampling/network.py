"""The network as samplers see it: in evaluation mode, with averaged weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .. import tree
from ..base import Data, Predict
from ..tree import State

if TYPE_CHECKING:
    from ..model import Model


def weights(model: Model[Any]) -> tuple[nn.Module, Data]:
    """The network and the transform that sampling uses: averaged ones if there are any."""
    if model.average is None or int(model.average.n_averaged) == 0:
        return model.net, model.data
    parts = model.average.module
    return parts.net, model.data.using(dict(parts.data.items()))


class Evaluating:
    """A context with every module in evaluation mode, and in the mode each was in after it.

    Entered once for each network call, so the modules are looked up once.
    """

    def __init__(self, module: nn.Module) -> None:
        self._modules = [one.__dict__ for one in module.modules()]
        self._training: list[dict[str, Any]] = []

    def __enter__(self) -> None:
        self._training = [one for one in self._modules if one["training"]]
        for one in self._training:
            one["training"] = False

    def __exit__(self, *_: object) -> None:
        for one in self._training:
            one["training"] = True


def network(model: Model[Any], net: nn.Module, noise: Any) -> Predict:
    """`predict(z, y, t) -> hat` in evaluation mode; log-probabilities for nets that end in p."""
    probabilities = getattr(model.noise, "parameter", None) == "p"
    apart = hasattr(model.time, "parts")
    evaluating = Evaluating(net)

    def predict(z: State, y: State, t: Any) -> State:
        size, device = tree.size(z), model.device
        if apart and not isinstance(t, dict):
            t = dict.fromkeys(z, t)
        rows = tree.map(lambda one: one if isinstance(one, Tensor) else _row(one, size, device), t)
        with evaluating:
            hat = net(noise.inputs(z, t), y, rows)
        return hat.log() if probabilities else hat

    return predict


def _row(t: float, size: int, device: torch.device) -> Tensor:
    return torch.full((size,), t, device=device)
