"""The variational autoencoder of Stable Diffusion and its successors. Rombach et al. 2022."""

from torch import Tensor, nn

from ..part import Part
from .base import Autoencoder
from .coder import Build, Decoder, Encoder


class AutoencoderKL(Autoencoder, Part):
    """Pictures `[b, in_channels, h, w]` to latents `[b, latent_channels, h/factor, w/factor]`.

    Args:
        in_channels, out_channels: of pictures. latent_channels: of latents.
        down_block_types, up_block_types, block_out_channels: one a level, the full size first in
            widths and down, last in up; blocks called Attn... have attention.
        layers_per_block: residual blocks a level, one more in the decoder.
        act_fn, norm_num_groups: of the blocks.
        sample_size: height and width in training; scaling_factor, shift_factor, latents_mean,
            latents_std: what diffusion models make of latents; force_upcast: that float16
            overflows. Not used here.
        use_quant_conv, use_post_quant_conv: 1×1 convolutions around the latents.
        mid_block_add_attention: at the smallest size.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        down_block_types: tuple[str, ...] = ("DownEncoderBlock2D",),
        up_block_types: tuple[str, ...] = ("UpDecoderBlock2D",),
        block_out_channels: tuple[int, ...] = (64,),
        layers_per_block: int = 1,
        act_fn: str = "silu",
        latent_channels: int = 4,
        norm_num_groups: int = 32,
        sample_size: int | tuple[int, ...] = 32,
        scaling_factor: float = 0.18215,
        shift_factor: float | None = None,
        latents_mean: tuple[float, ...] | None = None,
        latents_std: tuple[float, ...] | None = None,
        force_upcast: bool = True,
        use_quant_conv: bool = True,
        use_post_quant_conv: bool = True,
        mid_block_add_attention: bool = True,
    ) -> None:
        widths = block_out_channels
        build = Build(widths, layers_per_block, act_fn, norm_num_groups, mid_block_add_attention)
        build.check("AutoencoderKL", down_block_types, up_block_types)
        self.channels, self.latent_channels, self.levels = in_channels, latent_channels, len(widths)
        self.encoder = Encoder(in_channels, 2 * latent_channels, down_block_types, build)
        self.decoder = Decoder(latent_channels, out_channels, up_block_types, build)
        self.quant_conv = _mix(2 * latent_channels, use_quant_conv)
        self.post_quant_conv = _mix(latent_channels, use_post_quant_conv)

    @property
    def factor(self) -> int:
        return int(2 ** (self.levels - 1))

    @property
    def variational(self) -> bool:
        return True

    def code(self, x: Tensor) -> Tensor:
        fits = x.dim() == 4 and x.shape[1] == self.channels and min(x.shape[2:]) >= self.factor
        wanted = f"x [b, {self.channels}, height, width] of at least {self.factor} pixels a side"
        self._expect("encode", x, wanted, fits)
        code: Tensor = self.quant_conv(self.encoder(x))
        return code

    def decode(self, z: Tensor) -> Tensor:
        fits = z.dim() == 4 and z.shape[1] == self.latent_channels
        self._expect("decode", z, f"z [b, {self.latent_channels}, height, width]", fits)
        x: Tensor = self.decoder(self.post_quant_conv(z))
        return x


def _mix(width: int, used: bool) -> nn.Module:
    return nn.Conv2d(width, width, 1) if used else nn.Identity()
