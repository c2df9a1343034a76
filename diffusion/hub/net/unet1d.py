"""The U-Net of Dance Diffusion, for sound. Harmonai 2022."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ...errors import require
from ...net.sizes import expect
from ..layer.condition import Fourier, times
from ..part import Part
from .unet_blocks1d import Stage1D
from .unet_blocks2d import levels

DOWN = ("DownBlock1DNoSkip", "DownBlock1D", "AttnDownBlock1D")
UP = ("AttnUpBlock1D", "UpBlock1D", "UpBlock1DNoSkip")


class UNet1DModel(Part):
    """`sample [b, in_channels, n]` and times to `[b, out_channels, n]`.

    The way down begins, and the way up ends, with a level of full length ("NoSkip"); each other
    level, and the middle, halves the length. The first reads the time's features as channels.

    Args:
        time_embedding_dim: how many features; by default `extra_in_channels`, which must be as
            many, because files written before Diffusers had this setting mean that.
        sample_rate: of the sound, in Hz; not used here.
    """

    fixed: ClassVar = {
        "time_embedding_type": ("fourier",), "freq_shift": (0.0,), "act_fn": (None,),
        "use_timestep_embedding": (False,), "mid_block_type": ("UNetMidBlock1D",),
        "out_block_type": (None,), "norm_num_groups": (8,), "layers_per_block": (1,),
        "downsample_each_block": (False,),
    }  # fmt: skip

    sample_size: int = 65536
    sample_rate: int | None = None
    in_channels: int = 2
    out_channels: int = 2
    extra_in_channels: int = 0
    time_embedding_dim: int | None = None
    flip_sin_to_cos: bool = True
    down_block_types: tuple[str, ...] = DOWN
    up_block_types: tuple[str, ...] = UP
    block_out_channels: tuple[int, ...] = (32, 32, 64)

    def __post_init__(self) -> None:
        widths = self.block_out_channels
        kinds = {"down_block_types": (self.down_block_types, DOWN)}
        levels("UNet1DModel", widths, **kinds, up_block_types=(self.up_block_types, UP))
        self._symmetrical()
        size = self.time_embedding_dim or self.extra_in_channels
        fits = size == self.extra_in_channels and size > 0 and size % 2 == 0
        wanted = "as many as time_embedding_dim, an even number, for the time's features"
        require(fits, "UNet1DModel.extra_in_channels", wanted, self.extra_in_channels)
        last, flip = widths[-1], self.flip_sin_to_cos
        self.time_proj = Fourier(size // 2, scale=1, log=False, flip=flip)
        ins = self.in_channels + size, *widths
        self.down_blocks = nn.ModuleList(
            Stage1D(ins[i], out, out, attention="Attn" in kind, down=i > 0)
            for i, (kind, out) in enumerate(zip(self.down_block_types, widths, strict=True))
        )
        self.mid_block = Stage1D(last, last, last, count=6, attention=True, down=True, up=True)
        outs = *widths[-2::-1], self.out_channels
        self.up_blocks = nn.ModuleList(
            _up(*one) for one in zip(self.up_block_types, widths[::-1], outs, strict=True)
        )

    def forward(self, sample: Tensor, timestep: Tensor | float) -> Tensor:
        fits = sample.dim() == 3 and sample.shape[1] == self.in_channels
        expect(fits, "UNet1DModel", f"sample [b, {self.in_channels}, n]", sample)
        unit = 2 ** len(self.block_out_channels)
        fits = sample.shape[2] % unit == 0 and sample.shape[2] >= 3 * unit
        wanted = f"sample of length n, a multiple of {unit}, {3 * unit} or more"
        expect(fits, "UNet1DModel", wanted, sample)
        features = self.time_proj(times("UNet1DModel", timestep, sample)).to(sample.dtype)
        x: Tensor = torch.cat([sample, features[:, :, None].expand(-1, -1, sample.shape[2])], dim=1)
        kept = []
        for block in self.down_blocks:
            x = block(x)
            kept.append(x)
        x = self.mid_block(x)
        for block in self.up_blocks:
            x = block(torch.cat([x, kept.pop()], dim=1))
        return x

    def _symmetrical(self) -> None:
        full = [i == 0 for i in range(len(self.block_out_channels))]
        for name, kinds in (("down", self.down_block_types), ("up", self.up_block_types[::-1])):
            fits = [kind.endswith("NoSkip") for kind in kinds] == full
            where, wanted = f"UNet1DModel.{name}_block_types", "NoSkip at full length, only there"
            require(fits, where, wanted, kinds)


def _up(kind: str, width: int, out: int) -> Stage1D:
    attention, full = kind.startswith("Attn"), kind.endswith("NoSkip")
    middle = out if attention else width
    return Stage1D(2 * width, middle, out, attention=attention, up=not full, last=full)
