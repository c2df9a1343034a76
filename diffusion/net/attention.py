"""Multi-head self-attention. Vaswani et al. 2017, section 3.2.2."""

import torch.nn.functional as F
from torch import Tensor, nn

from .layers import GroupNorm, ZeroLinear, divisor
from .rotary import Tables, rotate


class Attention(nn.Module):
    """Every position looks at every other: `[b, positions, width] -> [b, positions, width]`.

    Derivatives in forward mode (`torch.func.jvp`) need torch's `sdpa_kernel(SDPBackend.MATH)`.

    Args:
        width: of a position, a multiple of `heads`.
        out: the kind of the last layer; `ZeroLinear` makes a residual branch start at zero.
    """

    def __init__(self, width: int, heads: int, out: type[nn.Linear] = nn.Linear) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = out(width, width)

    def forward(self, x: Tensor, turn: Tables | None = None) -> Tensor:
        batch, positions, width = x.shape
        qkv: Tensor = self.qkv(x).view(batch, positions, 3, self.heads, width // self.heads)
        q, k, v = qkv.unbind(2)
        if turn is not None:
            q, k = rotate(qkv[:, :, :2], turn).unbind(2)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        heads = F.scaled_dot_product_attention(q, k, v)
        result: Tensor = self.out(heads.transpose(1, 2).flatten(2))
        return result


class GridAttention(nn.Module):
    """A residual branch of attention between the points of a grid `[b, width, ...]`.

    Args:
        heads: heads wanted; the largest divisor of `width` up to it is taken.
    """

    def __init__(self, width: int, heads: int, groups: int) -> None:
        super().__init__()
        self.norm = GroupNorm(width, groups)
        self.attention = Attention(width, divisor(width, heads), ZeroLinear)

    def forward(self, x: Tensor) -> Tensor:
        points: Tensor = self.norm(x).flatten(2).transpose(1, 2)
        seen: Tensor = self.attention(points).transpose(1, 2).reshape(x.shape)
        return x + seen
