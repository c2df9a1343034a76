"""Encoders: conditions as tokens, for `net.Conditioned`."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ..base.module import Module
from ..errors import require
from .cross import Places
from .layers import CONV
from .sizes import AXES, expect, positive


class Projection(Module):
    """Vectors `[b, size]` to `tokens` tokens, or sequences `[b, n, size]` to n, by a linear map.

    Args:
        size: of a vector. width: of a token. tokens: that a vector becomes.
    """

    def __init__(self, size: int, width: int, tokens: int = 1) -> None:
        positive("Projection", size=size, width=width, tokens=tokens)
        self.size, self.width, self.tokens = size, width, tokens
        self.linear = nn.Linear(size, width * tokens)
        self.norm = nn.LayerNorm(width)

    def forward(self, value: Tensor) -> Tensor:
        fits = value.dim() in (2, 3) and value.shape[-1] == self.size
        fits = fits and (value.dim() == 2 or self.tokens == 1)
        expect(fits, "Projection", f"vectors [b, {self.size}], or with tokens=1 [b, n, "
               f"{self.size}]", value)  # fmt: skip
        made = self.linear(value)
        made = made.unflatten(-1, (self.tokens, self.width)) if value.dim() == 2 else made
        result: Tensor = self.norm(made)
        return result


class Encoder(Module):
    """Grids `[b, c, ...]`, such as pictures or spectra, to a token for each place that is left.

    A token knows its place.

    Args:
        channels: of the grid, then the width of each level; the last is that of a token. Each
            level but the first halves the grid.
        dimensions: 1, 2 or 3, of the grid.
        pool: places that are left along each axis; None leaves all. 1 is a single token, of
            what there is, wherever it is.

    Nothing is normalised but the tokens: how bright a picture is, or how loud a sound, is told too.
    """

    def __init__(
        self, channels: Sequence[int], dimensions: int = 2, pool: int | None = None
    ) -> None:
        listed = isinstance(channels, (tuple, list)) and len(channels) >= 2
        fits = listed and all(isinstance(c, int) and c >= 1 for c in channels)
        wanted = "the grid's channels, then a width for each level, such as (1, 32, 64)"
        require(fits, "Encoder.channels", wanted, repr(channels))
        require(dimensions in (1, 2, 3), "Encoder.dimensions", "1, 2 or 3", repr(dimensions))
        positive("Encoder", pool=1 if pool is None else pool)
        self.channels, self.dimensions, self.pool = tuple(channels), dimensions, pool
        *_, self.width = self.channels
        conv = CONV[dimensions - 1]
        sizes = list(pairwise(self.channels))
        self.levels = nn.ModuleList(
            conv(a, b, 3, stride=1 if i == 0 else 2, padding=1) for i, (a, b) in enumerate(sizes)
        )
        self.exit = nn.Linear(self.width, self.width)
        self.place = Places(self.width)
        self.last = nn.LayerNorm(self.width)

    def forward(self, value: Tensor) -> Tensor:
        fits = value.dim() == self.dimensions + 2 and value.shape[1] == self.channels[0]
        axes = AXES[self.dimensions - 1]
        expect(fits, "Encoder", f"grids [b, {self.channels[0]}, {axes}]", value)
        h = value
        for level in self.levels:
            h = F.silu(level(h))
        if self.pool is not None:
            pools = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
            h = pools[self.dimensions - 1](h, self.pool)
        grid = h.shape[2:]
        made = self.exit(h.flatten(2).transpose(1, 2))
        result: Tensor = self.last(made + self.place(grid, made))
        return result
