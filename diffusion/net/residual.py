r"""The parts of a U-Net: the residual block of Dhariwal & Nichol 2021, section 3,

    h <- h + conv(silu((w + scale)·norm(conv(silu(norm(h)))) + b + shift))

and what repeats it on the way down and on the way up. The last convolution of a block starts at
zero, so that the block starts as the identity.
"""

from collections.abc import Iterable, Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from .attention import GridAttention
from .layers import CONV, ZERO_CONV, GroupNorm


class Residual(nn.Module):
    """Two convolutions on `[b, width, ...]`, then attention if there are `heads`."""

    axis = 1
    """Of the features of its output; see `diffusion.net.cross`."""

    def __init__(
        self, width: int, groups: int, heads: int, dropout: float, dimensions: int
    ) -> None:
        super().__init__()
        self.width, self.dropout = width, dropout
        self.before = GroupNorm(width, groups)
        self.enter = CONV[dimensions - 1](width, width, 3, padding=1)
        self.between = GroupNorm(width, groups)
        self.exit = ZERO_CONV[dimensions - 1](width, width, 3, padding=1)
        self.attention = GridAttention(width, heads, groups) if heads else None

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """`modulation` `[b or 1, 2·width]` is the scale and the shift of the second norm."""
        scale, shift = modulation.chunk(2, -1)
        h = self.enter(F.silu(self.before(x)))
        h = F.silu(self.between(h, scale, shift))
        if self.dropout:
            h = F.dropout(h, self.dropout, self.training)
        result: Tensor = x + self.exit(h)
        return result if self.attention is None else self.attention(result)


class Descent(nn.Module):
    """Residual blocks, each of whose outputs is kept, then half the grid."""

    def __init__(self, blocks: Iterable[Residual], down: nn.Module) -> None:
        super().__init__()
        self.blocks, self.down = nn.ModuleList(blocks), down

    def forward(self, h: Tensor, modulation: Iterator[Tensor], kept: list[Tensor]) -> Tensor:
        for block in self.blocks:
            h = block(h, next(modulation))
            kept.append(h)
        result: Tensor = self.down(h)
        return result


class Ascent(nn.Module):
    """Twice the grid, then residual blocks, before each of which what was kept is added."""

    def __init__(self, up: nn.Module, blocks: Iterable[Residual]) -> None:
        super().__init__()
        self.up, self.blocks = up, nn.ModuleList(blocks)

    def forward(self, h: Tensor, modulation: Iterator[Tensor], kept: list[Tensor]) -> Tensor:
        h = F.interpolate(self.up(h), size=kept[-1].shape[2:], mode="nearest")
        for block in self.blocks:
            h = block(h + kept.pop(), next(modulation))
        return h
