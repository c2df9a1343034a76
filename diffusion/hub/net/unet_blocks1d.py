"""The levels of Dance Diffusion's U-Net for sound. Harmonai 2022."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import require
from ..layer.attention import join, split

CUBIC = (-3 / 256, -9 / 256, 29 / 256, 111 / 256)
"""The first half of a symmetrical low-pass filter."""


class Half(nn.Module):
    """Half the length: a low-pass filter on each channel, the ends reflected."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.tensor(CUBIC + CUBIC[::-1]) * gain)

    def weight(self, x: Tensor) -> Tensor:
        """The filter of every channel, `[c, 1, 8]`."""
        return self.get_buffer("kernel").to(x.dtype).expand(x.shape[1], 1, -1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (3, 3), "reflect")
        return F.conv1d(x, self.weight(x), stride=2, groups=x.shape[1])


class Double(Half):
    """Twice the length, by the transposed filter."""

    def __init__(self) -> None:
        super().__init__(gain=2.0)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (2, 2), "reflect")
        return F.conv_transpose1d(x, self.weight(x), stride=2, padding=7, groups=x.shape[1])


class Attention1D(nn.Module):
    """Self-attention of samples `[b, c, n]`, with heads of 32 channels, added to them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        require(width >= 32, "UNet1DModel.block_out_channels", "32 or more for attention", width)
        self.heads = width // 32
        self.group_norm = nn.GroupNorm(1, width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.proj_attn = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        h = self.group_norm(x).transpose(1, 2)
        q, k, v = (split(f(h), self.heads) for f in (self.query, self.key, self.value))
        h = join(F.scaled_dot_product_attention(q, k, v))
        y: Tensor = x + self.proj_attn(h).transpose(1, 2)
        return y


class Residual1D(nn.Module):
    """Convolution, norm, activation, twice, beside a shortcut; `last` ends with a convolution."""

    def __init__(self, width: int, middle: int, out: int, last: bool) -> None:
        super().__init__()
        self.conv_skip = nn.Conv1d(width, out, 1, bias=False) if width != out else nn.Identity()
        self.conv_1 = nn.Conv1d(width, middle, 5, padding=2)
        self.group_norm_1 = nn.GroupNorm(1, middle)
        self.conv_2 = nn.Conv1d(middle, out, 5, padding=2)
        self.group_norm_2 = None if last else nn.GroupNorm(1, out)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_2(F.gelu(self.group_norm_1(self.conv_1(x))))
        if self.group_norm_2 is not None:
            h = F.gelu(self.group_norm_2(h))
        y: Tensor = h + self.conv_skip(x)
        return y


class Stage1D(nn.Module):
    """Residual blocks at half the length (`down`) or before doubling it (`up`).

    Args:
        count: of blocks, with widths `width`, `middle` …, `out`. attention: after each.
        last: see `Residual1D`.
    """

    def __init__(
        self, width: int, middle: int, out: int, count: int = 3, attention: bool = False,
        down: bool = False, up: bool = False, last: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        widths = [width, *[middle] * (count - 1), out]
        self.down = Half() if down else nn.Identity()
        self.resnets = nn.ModuleList(
            Residual1D(a, middle, b, last and i == count - 1)
            for i, (a, b) in enumerate(pairwise(widths))
        )
        self.attentions = nn.ModuleList(
            Attention1D(w) if attention else nn.Identity() for w in widths[1:]
        )
        self.up = Double() if up else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        for resnet, attention in zip(self.resnets, self.attentions, strict=True):
            x = attention(resnet(x))
        y: Tensor = self.up(x)
        return y
