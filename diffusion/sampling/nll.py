"""Likelihoods of items or of a whole data set: which method, how many draws, in which unit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import likelihood, rng, tree
from ..base import Bridge
from ..data.items import fetch, length
from ..errors import InputError, MismatchError, choose, require
from ..likelihood.importance import averaged
from ..likelihood.ode import path, refuse, varies
from ..rng import Each, Rng
from ..train.progress import Bar
from ..tree import State
from .condition import conditions
from .grid import Steps, clock, grid
from .network import network, weights

if TYPE_CHECKING:
    from ..model import Model

METHODS: dict[str, Callable[..., Tensor]] = {
    "bound": likelihood.bound,
    "importance": likelihood.importance,
    "ode": likelihood.ode,
}
"""What draws one estimate for each item: `(noise, predict, data, w, x, y, times, rng) -> [b]`."""
TOGETHER = 2**16
"""Draws of the same items share a batch while its states hold at most this many numbers."""


def nll(
    model: Model[Any], w: State, y: State, steps: Steps, unit: str, seed: int, progress: bool,
    *, method: str = "bound", draws: int = 1, error: bool = False,
) -> Any:  # fmt: skip
    """See `Model.nll`."""
    if unit not in ("bits/dim", "nats"):
        raise InputError(f"nll.unit: expected 'bits/dim' or 'nats', got {unit!r}.")
    choose("nll.method", method, METHODS)
    whole = isinstance(draws, int) and draws >= 1
    require(whole, "nll.draws", "a whole number, at least 1", draws)
    if error and draws < 2:
        raise InputError(
            "nll.draws: a standard error needs at least 2 draws; got error=True and draws=1."
        )

    def measured(w: State, y: State, first: int) -> Tensor:
        return _each(model, w, y, steps, unit, seed, first, method, draws)

    if w is not None:
        found = measured(w, y, 0)
    else:
        count, size = length(model.data.w), model.data.batch
        parts = []
        with Bar(-(count // -size), progress, method) as bar:
            for first in range(0, count, size):
                index = torch.arange(first, min(first + size, count))
                parts.append(measured(*fetch(model.data, index), first))
                bar.update(first // size + 1)
        found = torch.cat(parts, 1)
    return (found[0], found[1]) if error else found[0]


@torch.no_grad()
def _each(
    model: Model[Any], w: State, y: State, steps: Steps, unit: str, seed: int, first: int,
    method: str, draws: int,
) -> Tensor:  # fmt: skip
    """The estimate for each item and its standard error, `[2, b]`."""
    y, _ = conditions(model, y, tree.size(w))
    net, data = weights(model)
    _fits(model, data, w, method, steps)
    noise = model.bind() if isinstance(model.noise, Bridge) else model.bind(soft=True)
    w = tree.to(w, model.device)
    x = model.cast(data.encode(w))
    times = _times(model, method, steps)
    if getattr(noise, "parameter", None) == "p":
        noise = noise.vary(parameter="logits")
    count = draws if method != "ode" or varies(data, x) else 1
    together = max(1, TOGETHER // max(1, sum(leaf.numel() for leaf in tree.leaves(x))))
    found = []
    for k in range(0, count, together):
        some = range(k, min(k + together, count))
        states = [tree.cat([state] * len(some)) for state in (w, x, y)]
        predict = network(model, net, noise, times, tree.size(x) * len(some))
        draws_of = _generators(seed, some, tree.size(x), first)
        nats = METHODS[method](noise, predict, data, *states, times, draws_of)
        found.append(nats.reshape(len(some), -1))
    value, error = _summary(torch.cat(found), method)
    dimensions = sum(leaf[0].numel() for leaf in tree.leaves(w))
    both = torch.stack([value, error])
    return both if unit == "nats" else both / (dimensions * math.log(2))


def _summary(nats: Tensor, method: str) -> tuple[Tensor, Tensor]:
    """The estimate from all draws `[k, b]`, and its standard error (0 for a single one)."""
    if len(nats) == 1:
        return nats[0], torch.zeros_like(nats[0])
    if method == "importance":
        return averaged(nats)
    error = nats.std(0) / math.sqrt(len(nats))
    return nats.mean(0), torch.where(nats.isinf().any(0), math.inf, error)


def _generators(seed: int, some: range, size: int, first: int) -> Rng:
    """Draw k of item i is a function of (seed, i, k); draw 0 of (seed, i), as a sample is."""
    seeds = (seed if k == 0 else rng.fold(seed, "draw", k) for k in some)
    return Each(one for each in seeds for one in rng.samples(each, size, first))


def _times(model: Model[Any], method: str, steps: Steps) -> list[Any]:
    """Descending to 0; for the ODE ascending from near the data."""
    if method != "ode":
        return grid(model, steps)
    fits = steps is None or (isinstance(steps, int) and steps >= 1)
    require(fits, "nll.steps", "for method='ode' a whole number, at least 1, or None", steps)
    return path(clock(model), steps, model.time.continuous)  # type: ignore[arg-type]


def _fits(model: Model[Any], data: Any, w: State, method: str, steps: Steps) -> None:
    """Raise where the modules don't allow the method."""
    name = type(model.noise).__name__
    if method == "ode":
        return refuse(model.noise, data, w)
    if not isinstance(model.noise, Bridge):
        if method == "importance":
            raise MismatchError(
                f"nll(method='importance') and {name}: its weights need bridges, and {name} has "
                "only the tutorial's five methods. Use method='bound', or derive it from Bridge."
            )
        if steps not in (None, model.schedule.steps):
            raise InputError(
                f"nll.steps: {name} (not a Bridge) has a bound over all "
                f"{model.schedule.steps} steps only."
            )
    for part in getattr(model.noise, "parts", {"": model.noise}).values():
        if getattr(part, "eta", 1) == 0:
            raise MismatchError(
                f"nll(method={method!r}) and {part!r}: with eta=0 the steps have no noise, and no "
                "density to compare. Use noise.vary(eta=1.0), or method='ode'."
            )
    return None
