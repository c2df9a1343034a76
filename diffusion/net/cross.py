r"""Attention from the features of a layer to tokens that stand beside the network.

    h <- h + O·attention(Q·norm(h) + P, K·c, V·c)

with tokens c `[b, n, width]`: the decoupled cross-attention of Ye et al. 2023 (IP-Adapter),
equation 5. P says where in a grid h is. O starts at zero. Beside the tokens stands one with key and
value zero, to which all attention goes where there is no other: then h stays as it is, to the bit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from .layers import ZeroLinear, divisor
from .rotary import places


class Tokens(NamedTuple):
    """What layers can attend to: tokens `[b, n, width]`, and which are there, `[b, n]`."""

    values: Tensor
    there: Tensor


SINES, FAR = 24, 100.0
"""How many sines and cosines say where a place is, and the longest distance that they tell."""

TOLD: ContextVar[Mapping[int, Tokens]] = ContextVar("told", default=MappingProxyType({}))
"""The tokens that a running network was given, by how many others it stands around."""


@contextmanager
def telling(depth: int, tokens: Tokens) -> Iterator[None]:
    """Within, attached layers of this depth see the tokens; threads see their own."""
    before = TOLD.set({**TOLD.get(), depth: tokens})
    try:
        yield
    finally:
        TOLD.reset(before)


class Places(nn.Module):
    """Where the places of a grid are, as features `[places, width]`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(SINES, width, bias=False)

    def forward(self, grid: Sequence[int], like: Tensor) -> Tensor:
        """`like`: whose device and type the features have."""
        sines = places(tuple(grid), SINES, FAR, like.device, like.dtype)
        features: Tensor = self.linear(sines)
        return features


class Cross(nn.Module):
    """The attention: h `[b, l, features]` and tokens to what is added, `[b, l, features]`."""

    def __init__(self, features: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = divisor(features, heads)
        self.q = nn.Linear(features, features, bias=False)
        self.kv = nn.Linear(width, 2 * features, bias=False)
        self.place = Places(features)
        self.out = ZeroLinear(features, features, bias=False)

    def forward(self, h: Tensor, tokens: Tokens, grid: Sequence[int] = ()) -> Tensor:
        """`grid`: the sizes of the grid whose places are h, row by row, if they are those."""
        q = self.q(F.layer_norm(h, h.shape[-1:]))
        q = self._split(q + self.place(grid, q) if grid else q)
        k, v = self.kv(tokens.values).chunk(2, -1)
        k, v = (self._split(F.pad(one, (0, 0, 0, 1))) for one in (k, v))
        there = F.pad(tokens.there, (0, 1), value=True)[:, None, None]
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=there)
        added: Tensor = self.out(seen.transpose(1, 2).flatten(2))
        return added

    def _split(self, h: Tensor) -> Tensor:
        return h.view(*h.shape[:2], self.heads, -1).transpose(1, 2)


class Attached(nn.Module):
    """A layer whose output then attends to the tokens beside the network, if there are any."""

    def __init__(self, layer: Any, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.layer, self.depth = layer, depth
        self.width, self.axis = int(layer.width), int(layer.axis)
        self.cross = Cross(layer.width, width, heads)

    def forward(self, *inputs: Any) -> Tensor:
        h: Tensor = self.layer(*inputs)
        tokens = TOLD.get().get(self.depth)
        if tokens is None:
            return h
        if self.axis == -1:
            added: Tensor = self.cross(h, tokens)
            return h + added
        seen: Tensor = self.cross(h.flatten(2).transpose(1, 2), tokens, h.shape[2:])
        return h + seen.transpose(1, 2).reshape(h.shape)


def attached(module: nn.Module, attach: Callable[[nn.Module], nn.Module | None]) -> nn.Module:
    """A copy of a network that shares its weights, with some layers replaced.

    Args:
        attach: from a layer to what is put in its place, or None. Only layers that say so are asked
            for: `width`, the size of their features, and `axis`, where in their output these are,
            1 or -1.
    """
    other = copy.copy(module)
    if getattr(module, "axis", None) in (1, -1) and isinstance(getattr(module, "width", None), int):
        return attach(other) or other
    other._modules = {
        name: None if child is None else attached(child, attach)
        for name, child in module._modules.items()
    }
    return other


def count(module: nn.Module) -> int:
    """How many layers are attached."""
    return sum(isinstance(one, Attached) for one in module.modules())


def presence(value: Tensor) -> Tensor:
    """Which rows are there, `[b]`: a row of zeros is none."""
    found: Tensor = value.ne(0).flatten(1).any(1)
    return found
