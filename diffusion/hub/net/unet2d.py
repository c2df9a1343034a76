"""The U-Net of pictures without text. Ho et al. 2020; Dhariwal & Nichol 2021."""

from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import choose, require
from ...net.sizes import expect
from ..layer.attention import PixelAttention
from ..layer.condition import Fourier, class_embedding, classified, times
from ..layer.embedding import TimestepEmbedding, sinusoids
from ..layer.resample import Downsample2D, Upsample2D
from ..layer.residual import ResnetBlock2D
from ..part import Part
from .unet_blocks2d import Middle, ascent, descent, levels

DOWN = ("DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D")
UP = ("UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D")
SETTINGS = {
    "time_embedding_type": ("positional", "fourier", "learned"),
    "downsample_type": ("conv", "resnet"),
    "upsample_type": ("conv", "resnet"),
    "mid_block_type": ("UNetMidBlock2D",),
    "class_embed_type": ("timestep", "identity"),
}


class UNet2DModel(Part):
    """`sample [b, in_channels, h, w]`, times and perhaps classes to `[b, out_channels, h, w]`.

    Args:
        time_embedding_type: "positional" is sinusoids; "fourier" is random frequencies of log t,
            the output divided by t; "learned" is a table of `num_train_timesteps` rows.
        downsample_type, upsample_type: "conv" or "resnet", at levels with attention.
        attention_head_dim: size of a head; None is one head.
        attn_norm_num_groups: of the middle's attention; None is `norm_num_groups`, but no norm
            with "scale_shift".
        class_embed_type: None with `num_class_embeds` (ids), "timestep" or "identity".
    """

    sample_size: int | tuple[int, int] | None = None
    in_channels: int = 3
    out_channels: int = 3
    center_input_sample: bool = False
    time_embedding_type: str = "positional"
    time_embedding_dim: int | None = None
    freq_shift: int = 0
    flip_sin_to_cos: bool = True
    down_block_types: tuple[str, ...] = (DOWN[0], DOWN[1], DOWN[1], DOWN[1])
    mid_block_type: str | None = "UNetMidBlock2D"
    up_block_types: tuple[str, ...] = (UP[1], UP[1], UP[1], UP[0])
    block_out_channels: tuple[int, ...] = (224, 448, 672, 896)
    layers_per_block: int = 2
    mid_block_scale_factor: float = 1
    downsample_padding: int = 1
    downsample_type: str = "conv"
    upsample_type: str = "conv"
    dropout: float = 0.0
    act_fn: str = "silu"
    attention_head_dim: int | None = 8
    norm_num_groups: int = 32
    attn_norm_num_groups: int | None = None
    norm_eps: float = 1e-5
    resnet_time_scale_shift: str = "default"
    add_attention: bool = True
    class_embed_type: str | None = None
    num_class_embeds: int | None = None
    num_train_timesteps: int | None = None

    def __post_init__(self) -> None:
        self._check()
        widths, kind = self.block_out_channels, self.time_embedding_type
        hidden = self.time_embedding_dim or 4 * widths[0]
        waves = 2 * widths[0] if kind == "fourier" else widths[0]
        self.conv_in = nn.Conv2d(self.in_channels, widths[0], 3, padding=1)
        self.time_proj: Any = None
        if kind == "fourier":
            self.time_proj = Fourier(widths[0], scale=16, log=True, flip=False)
        elif kind == "learned":
            self.time_proj = nn.Embedding(self.num_train_timesteps or 0, widths[0])
        self.time_embedding = TimestepEmbedding(waves, hidden)
        self.class_embedding = class_embedding(
            self.class_embed_type, self.num_class_embeds, waves, hidden
        )
        self._blocks(hidden)
        self.conv_norm_out = nn.GroupNorm(self.norm_num_groups, widths[0], self.norm_eps)
        self.conv_out = nn.Conv2d(widths[0], self.out_channels, 3, padding=1)

    def _blocks(self, hidden: int) -> None:
        widths, groups, eps = self.block_out_channels, self.norm_num_groups, self.norm_eps
        scaled = self.resnet_time_scale_shift == "scale_shift"
        residual = partial(
            ResnetBlock2D, temb=hidden, groups=groups, eps=eps, act=self.act_fn,
            shift=self.resnet_time_scale_shift, dropout=self.dropout,
        )  # fmt: skip

        def attention(level: int, i: int) -> PixelAttention:
            return PixelAttention(widths[level], self._head(widths[level]), groups, eps)

        def halve(kind: str, width: int) -> nn.Module:
            if _by_resnet(kind, self.downsample_type):
                return residual(width, width, resample="down")
            return Downsample2D(width, padding=self.downsample_padding)

        def double(kind: str, width: int) -> nn.Module:
            if _by_resnet(kind, self.upsample_type):
                return residual(width, width, resample="up")
            return Upsample2D(width)

        layers = (self.layers_per_block,) * len(widths)
        self.down_blocks = descent(
            self.down_block_types, widths, layers, residual, attention, halve
        )
        self.mid_block: Any = None
        if self.mid_block_type is not None:
            last, scale = widths[-1], self.mid_block_scale_factor
            count = self.attn_norm_num_groups or (None if scaled else groups)
            looks = []
            if self.add_attention:
                looks.append(PixelAttention(last, self._head(last), count, eps, scale))
            self.mid_block = Middle([residual(last, last, scale=scale) for _ in range(2)], looks)
        self.up_blocks = ascent(self.up_block_types, widths, layers, residual, attention, double)

    def forward(
        self, sample: Tensor, timestep: Tensor | float, class_labels: Tensor | None = None
    ) -> Tensor:
        fits = sample.dim() == 4 and sample.shape[1] == self.in_channels
        expect(fits, "UNet2DModel", f"sample [b, {self.in_channels}, h, w]", sample)
        t = times("UNet2DModel", timestep, sample)
        temb = self.time_embedding(self._waves(t).to(self.time_embedding.linear_1.weight.dtype))
        waves = self._waves if self.class_embed_type == "timestep" else None
        temb = classified("UNet2DModel", temb, self.class_embedding, class_labels, waves)
        x: Tensor = self.conv_in(2 * sample - 1 if self.center_input_sample else sample)
        kept = [x]
        for block in self.down_blocks:
            x, more = block(x, temb)
            kept += more
        x = x if self.mid_block is None else self.mid_block(x, temb)
        for block in self.up_blocks:
            x = block(x, kept, temb)
        x = self.conv_out(F.silu(self.conv_norm_out(x)))
        fourier = self.time_embedding_type == "fourier"
        return (x / t[:, None, None, None]).to(x.dtype) if fourier else x

    def _check(self) -> None:
        name = "UNet2DModel"
        downs = tuple(kind.removeprefix("UNetRes") for kind in self.down_block_types)
        ups = tuple(kind.removeprefix("UNetRes") for kind in self.up_block_types)
        kinds = {"down_block_types": (downs, DOWN), "up_block_types": (ups, UP)}
        levels(name, self.block_out_channels, **kinds)
        for key, known in SETTINGS.items():
            if getattr(self, key) is not None:
                choose(f"{name}.{key}", getattr(self, key), known)
        rows = self.num_train_timesteps or self.time_embedding_type != "learned"
        require(bool(rows), f"{name}.num_train_timesteps", "the rows of the table of times", rows)

    def _waves(self, t: Tensor) -> Tensor:
        if self.time_proj is not None:
            found: Tensor = self.time_proj(t)
            return found
        width = self.block_out_channels[0]
        return sinusoids(t, width, self.flip_sin_to_cos, self.freq_shift)

    def _head(self, width: int) -> int:
        head = self.attention_head_dim or width
        require(head <= width, "UNet2DModel.attention_head_dim", f"{width} or less", head)
        return head


def _by_resnet(kind: str, sampling: str) -> bool:
    return "Resnet" in kind or ("Attn" in kind and sampling == "resnet")
