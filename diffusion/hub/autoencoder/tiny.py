"""A small autoencoder distilled from a large one, for previews: TAESD, Boer Bohan 2023."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import choose, require
from ..layer.activation import activation
from ..part import Part
from .base import Autoencoder

UPSAMPLINGS = "nearest", "nearest-exact", "bilinear", "bicubic"


class AutoencoderTiny(Autoencoder, Part):
    """Pictures `[b, in_channels, h, w]` to latents `[b, latent_channels, h/factor, w/factor]`.

    The latents are those that a diffusion model sees. Diffusers' `forward` also stores them in
    eight bits: that is `decode(restore(store(encode(x))))` here.

    Args:
        in_channels, out_channels: of pictures. latent_channels: of latents.
        encoder_block_out_channels, decoder_block_out_channels: the width of each stage, all equal.
        num_encoder_blocks, num_decoder_blocks: residual blocks in each stage.
        act_fn: within the blocks. upsample_fn, upsampling_scaling_factor: between the decoder's
            stages; the encoder's halve.
        latent_magnitude, latent_shift: latents of ±magnitude are stored as shift ± 1/2.
        scaling_factor, shift_factor, force_upcast: for those who use it; 1, 0 and no.
        block_out_channels: decoder_block_out_channels once more, as Diffusers writes it.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        encoder_block_out_channels: tuple[int, ...] = (64, 64, 64, 64),
        decoder_block_out_channels: tuple[int, ...] = (64, 64, 64, 64),
        act_fn: str = "relu",
        upsample_fn: str = "nearest",
        latent_channels: int = 4,
        upsampling_scaling_factor: int = 2,
        num_encoder_blocks: tuple[int, ...] = (1, 3, 3, 3),
        num_decoder_blocks: tuple[int, ...] = (3, 3, 3, 1),
        latent_magnitude: float = 3,
        latent_shift: float = 0.5,
        force_upcast: bool = False,
        scaling_factor: float = 1.0,
        shift_factor: float = 0.0,
        block_out_channels: tuple[int, ...] | None = None,
    ) -> None:
        choose("AutoencoderTiny.upsample_fn", upsample_fn, UPSAMPLINGS)
        _check("encoder", encoder_block_out_channels, num_encoder_blocks)
        _check("decoder", decoder_block_out_channels, num_decoder_blocks)
        self.channels, self.latent_channels = in_channels, latent_channels
        self.stages = len(num_encoder_blocks)
        self.latent_magnitude, self.latent_shift = latent_magnitude, latent_shift
        width = encoder_block_out_channels[0]
        layers = _encoder(in_channels, width, latent_channels, num_encoder_blocks, act_fn)
        self.encoder = nn.ModuleDict({"layers": nn.Sequential(*layers)})
        grow = nn.Upsample(scale_factor=upsampling_scaling_factor, mode=upsample_fn)
        width = decoder_block_out_channels[0]
        layers = _decoder(latent_channels, width, out_channels, num_decoder_blocks, act_fn, grow)
        self.decoder = nn.ModuleDict({"layers": nn.Sequential(*layers)})

    @property
    def factor(self) -> int:
        return int(2 ** (self.stages - 1))

    @property
    def variational(self) -> bool:
        return False

    def code(self, x: Tensor) -> Tensor:
        fits = x.dim() == 4 and x.shape[1] == self.channels
        self._expect("encode", x, f"x [b, {self.channels}, height, width]", fits)
        z: Tensor = self.encoder["layers"](x.add(1).div(2))
        return z

    def decode(self, z: Tensor) -> Tensor:
        fits = z.dim() == 4 and z.shape[1] == self.latent_channels
        self._expect("decode", z, f"z [b, {self.latent_channels}, height, width]", fits)
        x: Tensor = self.decoder["layers"](torch.tanh(z / 3) * 3)
        return x.mul(2).sub(1)

    def store(self, z: Tensor) -> Tensor:
        """Latents as bytes, to be kept as a picture: uint8 of the same shape."""
        scaled = z.div(2 * self.latent_magnitude).add(self.latent_shift).clamp(0, 1)
        return scaled.mul(255).round().byte()

    def restore(self, stored: Tensor) -> Tensor:
        """Latents in float32 from what `store` returned."""
        return (stored / 255.0).sub(self.latent_shift).mul(2 * self.latent_magnitude)


class Block(nn.Module):
    """Three convolutions beside the identity."""

    def __init__(self, width: int, act: str) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            _conv(width, width), activation(act), _conv(width, width), activation(act),
            _conv(width, width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x) + x)


def _encoder(
    channels: int, width: int, out: int, blocks: Sequence[int], act: str
) -> Iterator[nn.Module]:
    for stage, count in enumerate(blocks):
        if stage:
            yield nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False)
        else:
            yield _conv(channels, width)
        yield from (Block(width, act) for _ in range(count))
    yield _conv(width, out)


def _decoder(
    channels: int, width: int, out: int, blocks: Sequence[int], act: str, grow: nn.Module
) -> Iterator[nn.Module]:
    yield from (_conv(channels, width), activation(act))
    for count in blocks[:-1]:
        yield from (Block(width, act) for _ in range(count))
        yield from (grow, nn.Conv2d(width, width, 3, padding=1, bias=False))
    yield from (Block(width, act) for _ in range(blocks[-1]))
    yield _conv(width, out)


def _conv(width: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(width, out, 3, padding=1)


def _check(side: str, widths: Sequence[int], blocks: Sequence[int]) -> None:
    name = f"AutoencoderTiny.{side}_block_out_channels"
    wanted = f"a width for each of the {len(blocks)} stages of num_{side}_blocks, all equal"
    fits = len(widths) == len(blocks) >= 1 and len(set(widths)) == 1
    require(fits, name, wanted, widths)
