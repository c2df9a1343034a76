"""Layers of causal video autoencoders, for videos that come a few frames at a time. Wan Team 2025.

A frame depends on itself and earlier ones. Whoever looks back keeps its last input frames in
`past`, a dict from layer to frames that belongs to one video: frames then give the same numbers
however they are split, in memory that does not grow with the length.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Past = dict[nn.Module, Tensor]


class CausalConv3d(nn.Conv3d):
    """A convolution of frames `[b, c, t, h, w]` with itself and the `size - 1` before it."""

    def __init__(self, width: int, out: int, size: int = 1) -> None:
        super().__init__(width, out, size, padding=(0, size // 2, size // 2))

    def forward(self, input: Tensor, past: Past | None = None) -> Tensor:
        """Frames before the first are zeros; without `past`, so is what comes before `input`."""
        before = self.kernel_size[0] - 1
        if before:
            input = remember(self, input, before, {} if past is None else past)
        return super().forward(input)


def remember(layer: nn.Module, x: Tensor, count: int, past: Past) -> Tensor:
    """The last `count` frames that `layer` saw, then `x`; `past` is brought up to date."""
    before = past.get(layer)
    if before is None:
        before = x.new_zeros(*x.shape[:2], count, *x.shape[3:])
    x = torch.cat([before, x], dim=2)
    past[layer] = x[:, :, -count:].clone()  # a view would hold on to all of x
    return x


class RMSNorm(nn.Module):
    """x·√c / |x| over the channels of videos, or of pictures, times a gain. Zhang & Sennrich 2019.

    Norms are in float32 at least.
    """

    def __init__(self, width: int, dimensions: int = 3) -> None:
        super().__init__()
        self.scale = math.sqrt(width)
        self.gamma = nn.Parameter(torch.ones(width, *[1] * dimensions))

    def forward(self, x: Tensor) -> Tensor:
        precise = torch.promote_types(x.dtype, torch.float32)
        unit: Tensor = F.normalize(x.to(precise), dim=1).to(x.dtype)
        return unit * self.scale * self.gamma


class ResidualBlock(nn.Module):
    """Norm, SiLU, causal convolution, twice, beside a shortcut."""

    def __init__(self, width: int, out: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = RMSNorm(width)
        self.conv1 = CausalConv3d(width, out, 3)
        self.norm2 = RMSNorm(out)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = CausalConv3d(out, out, 3)
        self.conv_shortcut = CausalConv3d(width, out) if width != out else nn.Identity()

    def forward(self, x: Tensor, past: Past) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)), past)
        h = self.conv2(self.dropout(F.silu(self.norm2(h))), past)
        total: Tensor = h + self.conv_shortcut(x)
        return total


class FrameAttention(nn.Module):
    """Self-attention of the pixels of each frame, with one head, added to them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = RMSNorm(width, dimensions=2)
        self.to_qkv = nn.Conv2d(width, 3 * width, 1)
        self.proj = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return per_frame(self._attend, x) + x

    def _attend(self, x: Tensor) -> Tensor:
        tokens = self.to_qkv(self.norm(x)).flatten(2).transpose(1, 2).unsqueeze(1)
        h = F.scaled_dot_product_attention(*tokens.contiguous().chunk(3, dim=-1))
        attended: Tensor = self.proj(h.squeeze(1).transpose(1, 2).reshape(x.shape))
        return attended


class Middle(nn.Module):
    """Two residual blocks with attention between them."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(ResidualBlock(width, width, dropout) for _ in range(2))
        self.attentions = nn.ModuleList([FrameAttention(width)])

    def forward(self, x: Tensor, past: Past) -> Tensor:
        first, last = self.resnets
        h: Tensor = last(self.attentions[0](first(x, past)), past)
        return h


def per_frame(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A layer of pictures on every frame of `[b, c, t, h, w]`."""
    frames = layer(x.transpose(1, 2).flatten(0, 1))
    return frames.reshape(x.shape[0], x.shape[2], *frames.shape[1:]).transpose(1, 2)
