"""Inputs for a network, guessed from the numbers it was made with where none are given."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .. import tree
from ..component import arguments
from ..net.beside import OWN, PICTURE
from ..tree import State
from .exam import copied
from .setting import Setting

SIZE = 3


@dataclass
class Case:
    """A copy of a network with its weights moved, in evaluation mode, and inputs of it."""

    net: Any
    x: State
    y: State
    t: State
    hat: State = field(init=False)

    def __post_init__(self) -> None:
        self.hat = self(self.x, self.y, self.t)

    @torch.no_grad()
    def __call__(self, x: State, y: State, t: State) -> State:
        return copied(self.net(*(copied(v) for v in (x, y, t))))

    @property
    def labels(self) -> int:
        found = getattr(self.net, "labels", 0)
        return found if isinstance(found, int) else 0


def moved(net: nn.Module) -> nn.Module:
    """A copy in evaluation mode, with a little noise on every weight."""
    other = copy.deepcopy(net).eval()
    with torch.no_grad():
        for value in other.parameters():
            if value.is_floating_point():
                value.add_(0.1 * torch.randn_like(value) / max(1, value[0].numel()) ** 0.5
                           if value.dim() > 1 else 0.1 * torch.randn_like(value))  # fmt: skip
    return other


def inputs(net: Any, setting: Setting) -> Iterator[tuple[State, State, State]]:
    """Inputs to try: those given, or guesses from the numbers the network was made with."""
    if setting.x is not None:
        x = tree.take(setting.x, slice(0, SIZE))
        yield from ((x, y, t) for y, t in _others(net, setting, x))
        return
    labels = ("labels", "parameters", "heads", "groups", "depth", "blocks", "dimensions")
    sizes = [v for n, v in arguments(net).items() if n not in labels and _size(v)]
    sizes += [
        v[0] for v in arguments(net).values() if isinstance(v, (tuple, list)) and v and _size(v[0])
    ]
    for size in dict.fromkeys([*sizes, 1, 3, 4]):
        grids = [(size, 16, 16), (size,), (16, size), (size, 16), (size, 8, 8, 8)]
        states = [torch.randn(SIZE, *shape) for shape in grids]
        for x in [*states, torch.randint(0, size, (SIZE, 12))]:
            yield from ((x, y, t) for y, t in _others(net, setting, x))


def _size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000


def seen(net: Any, x: State, y: State) -> State:
    """Conditions with pictures, where a network takes such."""
    channels = getattr(net, "beside", 0)
    if not isinstance(channels, int) or channels < 1 or not isinstance(x, Tensor) or x.dim() < 3:
        return y
    return {OWN: y, PICTURE: torch.randn(len(x), channels, *x.shape[2:]).to(x.device)}


def _others(net: Any, setting: Setting, x: State) -> Iterator[tuple[State, State]]:
    size = tree.size(x)
    labels = getattr(net, "labels", 0)
    y = setting.y
    condition = getattr(net, "condition", 0)
    if y is None and isinstance(condition, int) and condition > 0:
        y = torch.randn(size, condition)
    elif y is None:
        y = torch.arange(size) % (labels + 1 if isinstance(labels, int) else 1)
    y = seen(net, x, y) if setting.y is None else y
    y = tree.take(y, slice(0, size))
    if setting.t is not None:
        yield y, tree.take(setting.t, slice(0, size))
        return
    yield y, torch.arange(1, size + 1) * 7
    yield y, torch.arange(1, size + 1) / (size + 1)
