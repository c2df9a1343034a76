"""An autoencoder with a codebook. Van den Oord et al. 2017; Esser et al. 2021."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..part import Part
from .base import Autoencoder
from .coder import Build, Decoder, Encoder


class Codebook(nn.Module):
    """`count` vectors of `width` numbers; a vector is quantised to the nearest."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(count, width)
        nn.init.uniform_(self.embedding.weight, -1 / count, 1 / count)

    def forward(self, z: Tensor) -> Tensor:
        """The nearest vectors, of the same shape; the gradient passes straight through."""
        return z + (self.vectors(self.nearest(z)) - z).detach()

    def nearest(self, z: Tensor) -> Tensor:
        """Their indices, `[b, width, h, w] -> [b, h, w]`."""
        pixels = z.detach().movedim(1, -1)
        precise = torch.promote_types(z.dtype, torch.float32)
        book = self.embedding.weight.detach().to(precise)
        distances = torch.cdist(pixels.flatten(0, 2).to(precise), book)
        return distances.argmin(1).view(pixels.shape[:-1])

    def vectors(self, index: Tensor) -> Tensor:
        """`[b, h, w] -> [b, width, h, w]`."""
        found: Tensor = self.embedding(index)
        return found.movedim(-1, 1)


class VQModel(Autoencoder, Part):
    """Pictures `[b, in_channels, h, w]` to vectors `[b, vq_embed_dim, h/factor, w/factor]`.

    The vectors that `encode` returns are not quantised yet: `decode` does that.

    Args:
        in_channels, out_channels: of pictures. latent_channels: beside the vectors.
        down_block_types, up_block_types, block_out_channels, layers_per_block, act_fn,
            norm_num_groups, mid_block_add_attention: as in `AutoencoderKL`.
        num_vq_embeddings, vq_embed_dim: of the codebook; None is latent_channels.
        sample_size: height and width in training; scaling_factor: what diffusion models make of
            vectors; lookup_from_codebook: that they work on indices; force_upcast: that float16
            overflows. Not used here.
    """

    fixed: ClassVar = {"norm_type": ("group",)}

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        down_block_types: tuple[str, ...] = ("DownEncoderBlock2D",),
        up_block_types: tuple[str, ...] = ("UpDecoderBlock2D",),
        block_out_channels: tuple[int, ...] = (64,),
        layers_per_block: int = 1,
        act_fn: str = "silu",
        latent_channels: int = 3,
        sample_size: int | tuple[int, ...] = 32,
        num_vq_embeddings: int = 256,
        norm_num_groups: int = 32,
        vq_embed_dim: int | None = None,
        scaling_factor: float = 0.18215,
        mid_block_add_attention: bool = True,
        lookup_from_codebook: bool = False,
        force_upcast: bool = False,
    ) -> None:
        widths = block_out_channels
        build = Build(widths, layers_per_block, act_fn, norm_num_groups, mid_block_add_attention)
        build.check("VQModel", down_block_types, up_block_types)
        self.channels, self.levels = in_channels, len(widths)
        self.width = latent_channels if vq_embed_dim is None else vq_embed_dim
        self.encoder = Encoder(in_channels, latent_channels, down_block_types, build)
        self.quant_conv = nn.Conv2d(latent_channels, self.width, 1)
        self.quantize = Codebook(num_vq_embeddings, self.width)
        self.post_quant_conv = nn.Conv2d(self.width, latent_channels, 1)
        self.decoder = Decoder(latent_channels, out_channels, up_block_types, build)

    @property
    def factor(self) -> int:
        return int(2 ** (self.levels - 1))

    @property
    def variational(self) -> bool:
        return False

    def code(self, x: Tensor) -> Tensor:
        fits = x.dim() == 4 and x.shape[1] == self.channels and min(x.shape[2:]) >= self.factor
        wanted = f"x [b, {self.channels}, height, width] of at least {self.factor} pixels a side"
        self._expect("encode", x, wanted, fits)
        z: Tensor = self.quant_conv(self.encoder(x))
        return z

    def decode(self, z: Tensor, quantize: bool = True) -> Tensor:
        """Vectors, or indices `[b, h, w]` of vectors, to pictures.

        Args:
            quantize: take the nearest vectors of the codebook instead of the given ones.
        """
        if z.dtype == torch.long:
            z, quantize = self.quantize.vectors(z), False
        fits = z.dim() == 4 and z.shape[1] == self.width
        wanted = f"z [b, {self.width}, height, width], or indices [b, height, width]"
        self._expect("decode", z, wanted, fits)
        x: Tensor = self.decoder(self.post_quant_conv(self.quantize(z) if quantize else z))
        return x

    def commitment(self, z: Tensor, weight: float = 0.25) -> Tensor:
        r"""$|sg(e) - z|^2 + weight \cdot |e - sg(z)|^2$, means, of vectors and their nearest e.

        Van den Oord et al. 2017, equation 3, with the weight on the codebook's term as in VQ-GAN.
        """
        nearest = self.quantize.vectors(self.quantize.nearest(z))
        pulled, moved = (nearest.detach() - z) ** 2, (nearest - z.detach()) ** 2
        return pulled.mean() + weight * moved.mean()
