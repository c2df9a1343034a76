"""The likelihood bound over items or a whole data set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import rng, tree
from ..base import Bridge
from ..data.items import fetch, length
from ..errors import InputError
from ..likelihood import bound
from ..train.progress import Bar
from ..tree import State
from .condition import conditions
from .grid import grid
from .network import network, weights

if TYPE_CHECKING:
    from ..model import Model


def nll(
    model: Model[Any], w: State, y: State, steps: int | None, unit: str, seed: int, progress: bool
) -> Tensor:
    """See `Model.nll`."""
    if unit not in ("bits/dim", "nats"):
        raise InputError(f"nll.unit: expected 'bits/dim' or 'nats', got {unit!r}.")
    if w is not None:
        return _bound(model, w, y, steps, unit, rng.samples(seed, tree.size(w)))
    count, size = length(model.data.w), model.data.batch
    values = []
    with Bar(-(count // -size), progress, "bound") as bar:
        for first in range(0, count, size):
            index = torch.arange(first, min(first + size, count))
            draws = rng.samples(seed, len(index), first)
            values.append(_bound(model, *fetch(model.data, index), steps, unit, draws))
            bar.update(first // size + 1)
    return torch.cat(values)


@torch.no_grad()
def _bound(
    model: Model[Any], w: State, y: State, steps: int | None, unit: str, draws: rng.Rng
) -> Tensor:
    size = tree.size(w)
    y, _ = conditions(model, y, size)
    net, data = weights(model)
    if not isinstance(model.noise, Bridge) and steps not in (None, model.schedule.steps):
        raise InputError(
            f"nll.steps: {type(model.noise).__name__} (not a Bridge) has a bound over all "
            f"{model.schedule.steps} steps only."
        )
    noise = model.bind() if isinstance(model.noise, Bridge) else model.bind(soft=True)
    w = tree.to(w, model.device)
    x = model.cast(data.encode(w))
    times = grid(model, steps)
    predict = network(model, net, noise, times, size)
    if getattr(noise, "parameter", None) == "p":
        noise = noise.vary(parameter="logits")
    nats = bound(noise, predict, data, w, x, y, times, draws)
    dimensions = sum(leaf[0].numel() for leaf in tree.leaves(w))
    return nats if unit == "nats" else nats / (dimensions * math.log(2))
