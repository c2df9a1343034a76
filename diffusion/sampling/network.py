"""The network as samplers see it: in evaluation mode, with averaged weights."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .. import tree
from ..base import Data, Net, Predict
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
        if any(map(_is_training, self._modules)):
            self._training = [one for one in self._modules if one["training"]]
            for one in self._training:
                one["training"] = False

    def __exit__(self, *_: object) -> None:
        for one in self._training:
            one["training"] = True
        self._training = []


_is_training = itemgetter("training")


def network(
    model: Model[Any], net: nn.Module, noise: Any, times: Sequence[Any] = (), size: int = 0
) -> Predict:
    """`predict(z, y, t) -> hat` in evaluation mode; log-probabilities for nets that end in p.

    The times of `times`, for batches of `size`, are made tensors all at once.
    """
    rows = _rows(times, size, model.device)
    probabilities = getattr(model.noise, "parameter", None) == "p"
    apart = hasattr(model.time, "parts")
    evaluating = Evaluating(net)
    answer = net.under(noise) if isinstance(net, Net) else net

    def row(t: Any, batch: int) -> Tensor:
        if isinstance(t, Tensor):
            return t
        found = rows.get(t) if batch == size else None
        return torch.full((batch,), t, device=model.device) if found is None else found

    def predict(z: State, y: State, t: Any) -> State:
        batch = tree.size(z)
        if apart and not isinstance(t, dict):
            t = dict.fromkeys(z, t)
        at = {k: row(v, batch) for k, v in t.items()} if isinstance(t, dict) else row(t, batch)
        with evaluating:
            hat = answer(noise.inputs(z, t), y, at)
        return hat.log() if probabilities else hat

    return predict


def _rows(times: Sequence[Any], size: int, device: torch.device) -> dict[Any, Tensor]:
    if not times:
        return {}
    table = torch.tensor(times, device=device).unsqueeze(1).expand(-1, size).contiguous()
    return dict(zip(times, table.unbind(0), strict=True))
