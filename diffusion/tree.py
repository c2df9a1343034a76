"""States that may be dicts: a Tensor, or a dict of Tensors when modalities are diffused jointly.

These helpers are the only places where the library asks which of the two a state is.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

State: TypeAlias = Any
"""A Tensor or a dict of Tensors (`w`, `x`, `y`, `z`, `hat`, and times of joint models)."""


def map(function: Callable[..., Any], first: State, *rest: State) -> State:
    """Apply `function` to corresponding leaves; a leaf is anything that is not a dict."""
    if isinstance(first, dict):
        return {key: map(function, first[key], *(r[key] for r in rest)) for key in first}
    return function(first, *rest)


def leaves(state: State) -> list[Any]:
    """The leaves in a fixed order."""
    if isinstance(state, dict):
        return [leaf for key in state for leaf in leaves(state[key])]
    return [state]


def size(state: State) -> int:
    """The batch size: the length of the first axis of the first leaf."""
    while isinstance(state, dict):
        state = next(iter(state.values()))
    length: int = state.shape[0] if isinstance(state, Tensor) else len(state)
    return length


def to(state: State, *args: Any, **kwargs: Any) -> State:
    """`Tensor.to` on every leaf."""
    return map(lambda leaf: leaf.to(*args, **kwargs), state)


def cast(state: State, dtype: torch.dtype) -> State:
    """Floating leaves in `dtype`."""
    return map(lambda leaf: leaf.to(dtype) if leaf.is_floating_point() else leaf, state)


def take(state: State, index: Any) -> State:
    """`leaf[index]` on every leaf."""
    return map(lambda leaf: leaf[index], state)


def cat(states: list[State], dim: int = 0) -> State:
    """`torch.cat` leaf by leaf."""
    return map(lambda *parts: torch.cat(parts, dim), states[0], *states[1:])


def stack(states: list[State], dim: int = 0) -> State:
    """`torch.stack` leaf by leaf."""
    return map(lambda *parts: torch.stack(parts, dim), states[0], *states[1:])


def rows(t: Tensor, like: Tensor) -> Tensor:
    """Reshape `[b]` to `[b, 1, ..., 1]` so that it broadcasts against `like`."""
    return t.reshape(-1, *(1,) * (like.dim() - 1))


def total(value: Tensor) -> Tensor:
    """Sum every axis but the first: `[b, ...] -> [b]`."""
    return value.flatten(1).sum(1) if value.dim() > 1 else value


def mean(value: Tensor) -> Tensor:
    """Average every axis but the first: `[b, ...] -> [b]`."""
    return value.flatten(1).mean(1) if value.dim() > 1 else value
