"""Where a sampling starts: pure noise, noise as given, or noised items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import tree
from ..base import Bridge, Data
from ..distribution.draw import draw
from ..errors import InputError
from ..rng import Rng
from ..tree import State

if TYPE_CHECKING:
    from ..model import Model


def start(
    model: Model[Any], data: Data, noise: Any, times: list[Any], size: int, draws: Rng, options: Any
) -> tuple[State, list[Any]]:
    """The first state, and the times from it on."""
    z, items, x, strength = (options.get(name) for name in ("z", "start", "x", "strength"))
    if strength is not None and items is None and x is None:
        raise InputError("sample.strength says how much noise start=items get; there are none.")
    if sum(one is not None for one in (z, items, x)) > 1:
        raise InputError("sample: give z (a state), or start or x (items to be noised): one.")
    z, items, x = tensors("z", z), tensors("start", items), tensors("x", x)
    shape = tree.map(lambda one: (size, *one), model.shape)
    if z is not None:
        return model.cast(tree.to(_fitting("z", z, shape), model.device)), times
    if items is None and x is None:
        bridge = isinstance(model.noise, Bridge)  # others are respaced: they start at their T
        law = noise.pure(shape, times[0]) if bridge else noise.stationary(shape)
        return model.cast(tree.to(draw(law, draws)[0], model.device)), times
    if x is None:
        x = encoded("start", model, data, items, shape)
    x = model.cast(tree.to(_fitting("x", x, shape), model.device))
    times = shortened(times, model.schedule.steps, 1.0 if strength is None else strength)
    t = torch.full((size,), times[0], device=model.device,
                   dtype=torch.long if isinstance(times[0], int) else torch.float64)  # fmt: skip
    return model.cast(draw(noise.prior(x, t), draws)[0]), times


def encoded(name: str, model: Model[Any], data: Data, items: State, shape: State) -> State:
    """Items as states. Errors: items that the data's transform, or the model, can't take."""
    try:
        x = data.encode(tree.to(items, model.device))
    except (RuntimeError, IndexError, TypeError, KeyError) as error:
        found = tree.map(lambda leaf: list(leaf.shape), items)
        raise InputError(
            f"sample.{name}: {type(data).__name__}.encode can't take items of shape {found}: "
            f"{error}"
        ) from error
    return _fitting(name, model.cast(x), shape)


def shortened(times: list[Any], steps: int, strength: float) -> list[Any]:
    """The times from `strength`·T on, which is the first of them."""
    if not 0 < strength <= 1:
        raise InputError(f"sample.strength: expected a share of time in (0, 1], got {strength}.")
    whole = isinstance(times[0], int)
    first = max(round(strength * steps), 1) if whole else float(strength)
    return [first, *(t for t in times if t < first)] if first < times[0] else times


def tensors(name: str, state: Any) -> State:
    """`state` with arrays made tensors."""

    def one(leaf: Any) -> Tensor:
        if isinstance(leaf, Tensor):
            return leaf
        if not hasattr(leaf, "__array__"):
            raise InputError(f"sample.{name}: expected tensors or arrays, got {leaf!r}.")
        return torch.as_tensor(leaf)

    return None if state is None else tree.map(one, state)


def _fitting(name: str, state: State, shape: State) -> State:
    """`state`, if its shape is that of the samples."""
    found = tree.map(lambda leaf: tuple(leaf.shape), state)
    if found != shape:
        raise InputError(f"sample.{name}: expected states of shape {shape}, got {found}.")
    return state
