"""Halving and doubling videos in space and time, causally. Wan Team 2025; Chen et al. 2025.

The first frame of a video stands alone: 1 + 2k frames become 1 + k, and back. It comes by itself,
the others in multiples of two where time is halved.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import require
from .causal import Past, per_frame, remember


class Halve(nn.Module):
    """Half the height and width by a convolution, and half the `time` by another one."""

    def __init__(self, width: int, time: bool) -> None:
        super().__init__()
        pad = nn.ZeroPad2d((0, 1, 0, 1))
        self.resample = nn.Sequential(pad, nn.Conv2d(width, width, 3, stride=2))
        self.time_conv = nn.Conv3d(width, width, (3, 1, 1), stride=(2, 1, 1)) if time else None

    def forward(self, x: Tensor, past: Past) -> Tensor:
        x = per_frame(self.resample, x)
        if self.time_conv is None:
            return x
        first = self not in past
        frames = remember(self, x, 1, past)
        return x if first else self.time_conv(frames)


class Double(nn.Module):
    """Twice the `time`, but for the first frame, then twice the height and width."""

    def __init__(self, width: int, out: int, time: bool) -> None:
        super().__init__()
        grow = nn.Upsample(scale_factor=2.0, mode="nearest-exact")
        self.resample = nn.Sequential(grow, nn.Conv2d(width, out, 3, padding=1))
        self.time_conv = nn.Conv3d(width, 2 * width, (3, 1, 1)) if time else None

    def forward(self, x: Tensor, past: Past) -> Tensor:
        if self.time_conv is not None:
            x = self._longer(x, past, self.time_conv)
        return per_frame(self.resample, x)

    def _longer(self, x: Tensor, past: Past, conv: nn.Module) -> Tensor:
        if self not in past:  # what comes next sees zeros here, not the first frame
            remember(self, torch.zeros_like(x), 2, past)
            return x
        pairs: Tensor = conv(remember(self, x, 2, past))
        b, _, t, h, w = pairs.shape
        return pairs.reshape(b, 2, -1, t, h, w).movedim(1, 3).flatten(2, 3)


class Fold(nn.Module):
    """Blocks of `time`×`space`×`space` pixels become channels, which are averaged in groups."""

    def __init__(self, width: int, out: int, time: int, space: int) -> None:
        super().__init__()
        fits = width * time * space**2 % out == 0
        wanted = f"widths of which the next divides {time * space**2} times the one before"
        require(fits, "AutoencoderKLWan.dim_mult", wanted, f"{width}, {out}")
        self.out, self.time, self.space = out, time, space

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, 0, -x.shape[2] % self.time, 0))
        b, c, t, h, w = x.shape
        time, space = self.time, self.space
        x = x.reshape(b, c, t // time, time, h // space, space, w // space, space)
        x = x.permute(0, 1, 3, 5, 7, 2, 4, 6)
        return x.reshape(b, self.out, -1, *x.shape[5:]).mean(2)


class Unfold(nn.Module):
    """Channels, repeated as needed, become blocks of `time`×`space`×`space` pixels."""

    def __init__(self, width: int, out: int, time: int, space: int) -> None:
        super().__init__()
        fits = out * time * space**2 % width == 0
        wanted = f"widths of which each divides {time * space**2} times the one before"
        require(fits, "AutoencoderKLWan.dim_mult", wanted, f"{out}, {width}")
        self.repeats = out * time * space**2 // width
        self.out, self.time, self.space = out, time, space

    def forward(self, x: Tensor) -> Tensor:
        b, _, *sides = x.shape
        x = x.repeat_interleave(self.repeats, dim=1)
        x = x.reshape(b, self.out, self.time, self.space, self.space, *sides)
        return x.permute(0, 1, 5, 2, 6, 3, 7, 4).flatten(6, 7).flatten(4, 5).flatten(2, 3)
