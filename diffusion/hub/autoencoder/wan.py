"""The causal video autoencoders of Wan 2.1 and 2.2. Wan Team 2025."""

from typing import ClassVar

import torch
from torch import Tensor

from ...errors import require
from ..part import Part
from .base import Autoencoder
from .causal import CausalConv3d, Past
from .wan_coder import Build, Decoder, Encoder

MEAN = (
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
    0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
)  # fmt: skip
STD = (
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
)  # fmt: skip


class AutoencoderKLWan(Autoencoder, Part):
    """Videos `[b, c, 1 + stride·k, h, w]` to latents `[b, z_dim, 1 + k, h/factor, w/factor]`.

    Videos are encoded `stride` frames at a time and decoded a latent frame at a time, with the
    result of all at once: memory does not grow with their length, but for the output.

    Args:
        base_dim, decoder_base_dim: width of the first level; None is the encoder's.
        z_dim: channels of latents. dim_mult: width of each level, over the first.
        num_res_blocks: residual blocks a level, one more in the decoder.
        temperal_downsample: which levels but the last halve time. dropout: in the blocks.
        latents_mean, latents_std: what diffusion models make of latents; scale_factor_temporal,
            scale_factor_spatial: the stride and the factor, for those who read configs. Not used
            here.
        is_residual: levels have shortcuts without weights (Wan 2.2).
        patch_size: blocks of this size are channels of the first level; in_channels and
            out_channels count those.
    """

    # Diffusers reads clip_output and clips to [-1, 1] whatever it says; its own encoder fails with
    # attention on any scale.
    fixed: ClassVar = {"attn_scales": ((),), "clip_output": (True, False)}

    def __init__(
        self,
        base_dim: int = 96,
        decoder_base_dim: int | None = None,
        z_dim: int = 16,
        dim_mult: tuple[int, ...] = (1, 2, 4, 4),
        num_res_blocks: int = 2,
        temperal_downsample: tuple[bool, ...] = (False, True, True),
        dropout: float = 0.0,
        latents_mean: tuple[float, ...] = MEAN,
        latents_std: tuple[float, ...] = STD,
        is_residual: bool = False,
        in_channels: int = 3,
        out_channels: int = 3,
        patch_size: int | None = None,
        scale_factor_temporal: int | None = 4,
        scale_factor_spatial: int | None = 8,
    ) -> None:
        levels, time = len(dim_mult), temperal_downsample
        wanted = f"{levels - 1} values, one a level but the last"
        require(len(time) == levels - 1, "AutoencoderKLWan.temperal_downsample", wanted, time)
        self.patch, self.z_dim = 1 if patch_size is None else patch_size, z_dim
        self.channels, self.levels, self.is_residual = in_channels, levels, is_residual
        self.stride = int(2 ** sum(time))

        def build(base: int) -> Build:
            widths = [base * times for times in dim_mult]
            return Build(base, widths, num_res_blocks, time, dropout, is_residual)

        self.encoder = Encoder(in_channels, 2 * z_dim, build(base_dim))
        self.quant_conv = CausalConv3d(2 * z_dim, 2 * z_dim)
        self.post_quant_conv = CausalConv3d(z_dim, z_dim)
        base = base_dim if decoder_base_dim is None else decoder_base_dim
        self.decoder = Decoder(z_dim, out_channels, build(base))

    @property
    def factor(self) -> int:
        return int(self.patch * 2 ** (self.levels - 1))

    @property
    def variational(self) -> bool:
        return True

    def code(self, x: Tensor) -> Tensor:
        self._check(x)
        x = patches(x, self.patch)
        past: Past = {}
        chunks = x[:, :, :1], *torch.split(x[:, :, 1:], self.stride, dim=2)
        found = [self.encoder(chunk, past) for chunk in chunks if chunk.shape[2]]
        code: Tensor = self.quant_conv(torch.cat(found, dim=2))
        return code

    def decode(self, z: Tensor) -> Tensor:
        fits = z.dim() == 5 and z.shape[1] == self.z_dim and z.shape[2] >= 1
        self._expect("decode", z, f"z [b, {self.z_dim}, frames, height, width]", fits)
        past: Past = {}
        parts = torch.split(self.post_quant_conv(z), 1, dim=2)
        frames = [self.decoder(part, past) for part in parts]
        return pixels(torch.cat(frames, dim=2), self.patch).clamp(-1, 1)

    def _check(self, x: Tensor) -> None:
        channels, step = self.channels // self.patch**2, self.stride
        unit = self.factor if self.is_residual else self.patch
        fits = x.dim() == 5 and x.shape[1] == channels and x.shape[2] % step == 1 % step
        fits = fits and all(n >= self.factor and n % unit == 0 for n in x.shape[3:])
        wanted = (
            f"x [b, {channels}, 1 + {step}·k frames, height, width] of at least {self.factor} "
            f"pixels a side" + (f" and multiples of {unit}" if unit > 1 else "")
        )
        self._expect("encode", x, wanted, fits)


def patches(x: Tensor, size: int) -> Tensor:
    """Blocks of `size`×`size` pixels of every frame to channels, columns before rows."""
    if size == 1:
        return x
    b, c, t, h, w = x.shape
    blocks = x.reshape(b, c, t, h // size, size, w // size, size)
    return blocks.permute(0, 1, 6, 4, 2, 3, 5).flatten(1, 3)


def pixels(x: Tensor, size: int) -> Tensor:
    """The inverse of `patches`."""
    if size == 1:
        return x
    b, _, *sides = x.shape
    blocks = x.reshape(b, -1, size, size, *sides)
    return blocks.permute(0, 1, 4, 5, 3, 6, 2).flatten(5, 6).flatten(3, 4)
