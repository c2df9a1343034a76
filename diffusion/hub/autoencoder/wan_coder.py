"""The encoder and the decoder of Wan's autoencoders, 2.1 and 2.2. Wan Team 2025."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from .causal import CausalConv3d, Middle, Past, ResidualBlock, RMSNorm
from .causal_resample import Double, Fold, Halve, Unfold


class Build(NamedTuple):
    """What the encoder and the decoder have in common.

    Attributes:
        base: width before the encoder's first level. widths: of each level, the full size first.
        layers: residual blocks a level in the encoder.
        time: which of the levels but the last halve time. residual: Wan 2.2, whose levels have
            shortcuts without weights.
    """

    base: int
    widths: Sequence[int]
    layers: int
    time: Sequence[bool]
    dropout: float
    residual: bool


class ShortDown(nn.Module):
    """A level of Wan 2.2's encoder; `halves` says whether space and time get smaller."""

    def __init__(self, width: int, out: int, build: Build, halves: tuple[bool, bool]) -> None:
        super().__init__()
        space, time = halves
        self.resnets = nn.ModuleList(_blocks(width, out, build.layers, build.dropout))
        self.downsampler = Halve(out, time) if space else None
        self.avg_shortcut = Fold(width, out, 1 + time, 1 + space)

    def forward(self, x: Tensor, past: Past) -> Tensor:
        h = x
        for resnet in self.resnets:
            h = resnet(h, past)
        if self.downsampler is not None:
            h = self.downsampler(h, past)
        total: Tensor = h + self.avg_shortcut(x)
        return total


class ShortUp(nn.Module):
    """A level of Wan 2.2's decoder; `doubles` says whether space and time get larger."""

    def __init__(self, width: int, out: int, build: Build, doubles: tuple[bool, bool]) -> None:
        super().__init__()
        space, time = doubles
        self.resnets = nn.ModuleList(_blocks(width, out, build.layers + 1, build.dropout))
        self.upsampler = Double(out, out, time) if space else None
        self.avg_shortcut = Unfold(width, out, 1 + time, 2) if space else None

    def forward(self, x: Tensor, past: Past) -> Tensor:
        h = x
        for resnet in self.resnets:
            h = resnet(h, past)
        if self.upsampler is None or self.avg_shortcut is None:
            return h
        h = self.upsampler(h, past)
        # The first frame is not doubled in time: its shortcut's first half is dropped.
        total: Tensor = h + self.avg_shortcut(x)[:, :, -h.shape[2] :]
        return total


class Up(nn.Module):
    """A level of Wan 2.1's decoder."""

    def __init__(self, width: int, out: int, build: Build, doubles: tuple[bool, bool]) -> None:
        super().__init__()
        space, time = doubles
        self.resnets = nn.ModuleList(_blocks(width, out, build.layers + 1, build.dropout))
        self.upsamplers = nn.ModuleList([Double(out, out // 2, time)] if space else [])

    def forward(self, x: Tensor, past: Past) -> Tensor:
        for layer in (*self.resnets, *self.upsamplers):
            x = layer(x, past)
        return x


class Encoder(nn.Module):
    """Frames `[b, channels, t, h, w]` to `[b, out, t', h/f, w/f]`, f = 2^(levels - 1)."""

    def __init__(self, channels: int, out: int, build: Build) -> None:
        super().__init__()
        last = build.widths[-1]
        self.conv_in = CausalConv3d(channels, build.base, 3)
        self.down_blocks = nn.ModuleList(_descent(build))
        self.mid_block = Middle(last, build.dropout)
        self.norm_out = RMSNorm(last)
        self.conv_out = CausalConv3d(last, out, 3)

    def forward(self, x: Tensor, past: Past) -> Tensor:
        x = self.conv_in(x, past)
        for layer in (*self.down_blocks, self.mid_block):
            x = layer(x, past)
        code: Tensor = self.conv_out(F.silu(self.norm_out(x)), past)
        return code


class Decoder(nn.Module):
    """Frames `[b, channels, t, h, w]` to `[b, out, t', f·h, f·w]`, f = 2^(levels - 1)."""

    def __init__(self, channels: int, out: int, build: Build) -> None:
        super().__init__()
        widths = build.widths
        self.conv_in = CausalConv3d(channels, widths[-1], 3)
        self.mid_block = Middle(widths[-1], build.dropout)
        self.up_blocks = nn.ModuleList(_ascent(build))
        self.norm_out = RMSNorm(widths[0])
        self.conv_out = CausalConv3d(widths[0], out, 3)

    def forward(self, z: Tensor, past: Past) -> Tensor:
        z = self.conv_in(z, past)
        for layer in (self.mid_block, *self.up_blocks):
            z = layer(z, past)
        x: Tensor = self.conv_out(F.silu(self.norm_out(z)), past)
        return x


def _descent(build: Build) -> Iterator[nn.Module]:
    """Wan 2.2 has a module a level, Wan 2.1 one long list."""
    last = len(build.widths) - 1
    for level, out in enumerate(build.widths):
        width = build.widths[level - 1] if level else build.base
        halves = level < last, level < last and build.time[level]
        if build.residual:
            yield ShortDown(width, out, build, halves)
            continue
        yield from _blocks(width, out, build.layers, build.dropout)
        if level < last:
            yield Halve(out, halves[1])


def _ascent(build: Build) -> Iterator[nn.Module]:
    last = len(build.widths) - 1
    for level in range(last, -1, -1):
        out = build.widths[level]
        width = build.widths[min(level + 1, last)]
        doubles = level > 0, level > 0 and build.time[level - 1]
        if build.residual:
            yield ShortUp(width, out, build, doubles)
        else:  # whose upsampling has halved the width already
            yield Up(width if level == last else width // 2, out, build, doubles)


def _blocks(width: int, out: int, count: int, dropout: float) -> list[ResidualBlock]:
    return [ResidualBlock(w, out, dropout) for w in [width] + [out] * (count - 1)]
