r"""The residual block of a U-Net: Dhariwal & Nichol 2021, section 3.

    h <- h + conv(silu((w + scale)·norm(conv(silu(norm(h)))) + b + shift))

The last convolution starts at zero, so that the block starts as the identity.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from .attention import GridAttention
from .layers import CONV, ZERO_CONV, GroupNorm


class Residual(nn.Module):
    """Two modulated convolutions, then attention if there are `heads`: `[b, width, ...]` to same."""

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
        h = x + self.exit(h)
        return h if self.attention is None else self.attention(h)
