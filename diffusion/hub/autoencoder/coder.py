"""The convolutional encoder and decoder of latent diffusion. Rombach et al. 2022.

Residual blocks on ever smaller pictures, with attention between the pixels of the smallest; the
decoder mirrors that with one block more a level.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import choose, require
from ..layer.attention import PixelAttention
from ..layer.resample import Downsample2D, Upsample2D
from ..layer.residual import ResnetBlock2D

DOWN = "DownEncoderBlock2D", "AttnDownEncoderBlock2D"
UP = "UpDecoderBlock2D", "AttnUpDecoderBlock2D"
EPS = 1e-6


class Build(NamedTuple):
    """What the encoder and the decoder have in common.

    Attributes:
        widths: of each level, the full size first. layers: residual blocks a level in the encoder.
        groups: of the norms. attention: whether the middle has it.
    """

    widths: Sequence[int]
    layers: int
    act: str
    groups: int
    attention: bool

    def check(self, name: str, down: Sequence[str], up: Sequence[str]) -> None:
        """Raise `InputError` unless these settings describe the autoencoder `name`."""
        count, fits = len(self.widths), self.groups >= 1
        require(count >= 1, f"{name}.block_out_channels", "at least one width", self.widths)
        for key, types, known in (("down_block_types", down, DOWN), ("up_block_types", up, UP)):
            require(len(types) == count, f"{name}.{key}", f"{count} blocks, one a width", types)
            for kind in types:
                choose(f"{name}.{key}", kind, known)
        fits = fits and all(w >= 1 and w % self.groups == 0 for w in self.widths)
        wanted = f"widths that norm_num_groups = {self.groups} divides"
        require(fits, f"{name}.block_out_channels", wanted, self.widths)


class Level(nn.Module):
    """`count` residual blocks, each followed by `attention` if wanted, and a change of size."""

    def __init__(
        self, width: int, out: int, count: int, build: Build, attention: bool,
        down: bool = False, up: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        widths = [width] + [out] * (count - 1)
        self.resnets = nn.ModuleList(_block(w, out, build) for w in widths)
        looks = count if attention else 0
        self.attentions = nn.ModuleList(_attention(out, build) for _ in range(looks))
        self.downsamplers = nn.ModuleList([Downsample2D(out, padding=0)] if down else [])
        self.upsamplers = nn.ModuleList([Upsample2D(out)] if up else [])

    def forward(self, x: Tensor) -> Tensor:
        for i, resnet in enumerate(self.resnets):
            x = resnet(x)
            if len(self.attentions):
                x = self.attentions[i](x)
        for change in (*self.downsamplers, *self.upsamplers):
            x = change(x)
        return x


class Middle(nn.Module):
    """Two residual blocks, with attention between them if the build has it."""

    def __init__(self, width: int, build: Build) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(_block(width, width, build) for _ in range(2))
        self.attentions = nn.ModuleList([_attention(width, build)] if build.attention else [])

    def forward(self, x: Tensor) -> Tensor:
        first, last = self.resnets
        x = first(x)
        for attention in self.attentions:
            x = attention(x)
        h: Tensor = last(x)
        return h


class Encoder(nn.Module):
    """`[b, channels, h, w]` to `[b, out, h/f, w/f]`, rounded down, f = 2^(levels - 1)."""

    def __init__(self, channels: int, out: int, types: Sequence[str], build: Build) -> None:
        super().__init__()
        widths = build.widths
        self.conv_in = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            Level(
                widths[max(i - 1, 0)], width, build.layers, build, kind == DOWN[1],
                down=i < len(types) - 1,
            )
            for i, (kind, width) in enumerate(zip(types, widths, strict=True))
        )  # fmt: skip
        self.mid_block = Middle(widths[-1], build)
        self.conv_norm_out = nn.GroupNorm(build.groups, widths[-1], EPS)
        self.conv_out = nn.Conv2d(widths[-1], out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x)
        # SiLU whatever act_fn says.
        code: Tensor = self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))
        return code


class Decoder(nn.Module):
    """`[b, channels, h, w]` to `[b, out, f·h, f·w]`, f = 2^(levels - 1)."""

    def __init__(self, channels: int, out: int, types: Sequence[str], build: Build) -> None:
        super().__init__()
        widths = build.widths[::-1]
        self.conv_in = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.mid_block = Middle(widths[0], build)
        self.up_blocks = nn.ModuleList(
            Level(
                widths[max(i - 1, 0)], width, build.layers + 1, build, kind == UP[1],
                up=i < len(types) - 1,
            )
            for i, (kind, width) in enumerate(zip(types, widths, strict=True))
        )  # fmt: skip
        self.conv_norm_out = nn.GroupNorm(build.groups, widths[-1], EPS)
        self.conv_out = nn.Conv2d(widths[-1], out, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        z = self.mid_block(self.conv_in(z))
        for block in self.up_blocks:
            z = block(z)
        x: Tensor = self.conv_out(F.silu(self.conv_norm_out(z)))
        return x


def _block(width: int, out: int, build: Build) -> ResnetBlock2D:
    return ResnetBlock2D(width, out, None, build.groups, EPS, build.act)


def _attention(width: int, build: Build) -> PixelAttention:
    return PixelAttention(width, width, build.groups, EPS)
