"""A copy of a U-Net's way down that reads a picture of edges, depth, poses … Zhang et al. 2023."""

from itertools import pairwise
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import choose
from ...net.sizes import expect
from .unet_encoder import Encoder


class ControlNetModel(Encoder):
    """What to add to a `UNet2DConditionModel`, for `controlnet_cond [b, conditioning_channels]`.

    Args:
        controlnet_conditioning_channel_order: "rgb" or "bgr", of the pictures given.
        conditioning_embedding_out_channels: widths of the layers that read the picture; each but
            the first halves its size.
        global_pool_conditions: average over the picture.
    """

    fixed: ClassVar = {
        "encoder_hid_dim": (None,), "encoder_hid_dim_type": (None,),
        "num_attention_heads": (None,), "class_embed_type": (None,), "num_class_embeds": (None,),
        "addition_embed_type_num_heads": (64,),
    }  # fmt: skip

    conditioning_channels: int = 3
    controlnet_conditioning_channel_order: str = "rgb"
    conditioning_embedding_out_channels: tuple[int, ...] = (16, 32, 96, 256)
    global_pool_conditions: bool = False

    def __post_init__(self) -> None:
        order = "ControlNetModel.controlnet_conditioning_channel_order"
        choose(order, self.controlnet_conditioning_channel_order, ("rgb", "bgr"))
        self._encoder()
        first, last = self.block_out_channels[0], self.block_out_channels[-1]
        self.controlnet_cond_embedding = Reader(
            self.conditioning_channels, self.conditioning_embedding_out_channels, first
        )
        pairs = zip(self.block_out_channels, self._each("layers_per_block"), strict=True)
        kept = [first, *(width for width, count in pairs for _ in range(count + 1))]
        self.controlnet_down_blocks = nn.ModuleList(_zero(width) for width in kept[:-1])
        self.controlnet_mid_block = _zero(last)

    def forward(
        self, sample: Tensor, timestep: Tensor | float, encoder_hidden_states: Tensor,
        controlnet_cond: Tensor, conditioning_scale: float = 1.0,
        added_cond_kwargs: dict[str, Tensor] | None = None, guess_mode: bool = False,
    ) -> tuple[list[Tensor], Tensor]:  # fmt: skip
        """The U-Net's `down_block_additional_residuals` and `mid_block_additional_residual`.

        Args:
            conditioning_scale: multiplies them. guess_mode: and so does a factor from 0.1 at the
                first level to 1 in the middle.
        """
        self._check(sample, encoder_hidden_states, self.cross_attention_dim)
        if self.controlnet_conditioning_channel_order == "bgr":
            controlnet_cond = controlnet_cond.flip(1)
        temb = self._embed(sample, timestep, added_cond_kwargs)
        x, hint = self.conv_in(sample), self._read(controlnet_cond)
        factor = 2 ** (len(self.conditioning_embedding_out_channels) - 1)
        wanted = f"controlnet_cond of {factor} times the height and width of sample"
        expect(hint.shape[2:] == x.shape[2:], "ControlNetModel", wanted, controlnet_cond)
        x, kept = self._descend(x + hint, temb, encoder_hidden_states)
        found = [conv(one) for conv, one in zip(self.controlnet_down_blocks, kept, strict=True)]
        found.append(self.controlnet_mid_block(x))
        if guess_mode and not self.global_pool_conditions:
            last = len(found) - 1
            found = [one * 10 ** (i / last - 1) for i, one in enumerate(found)]
        found = [one * conditioning_scale for one in found]
        if self.global_pool_conditions:
            found = [one.mean(dim=(2, 3), keepdim=True) for one in found]
        return found[:-1], found[-1]

    def _read(self, picture: Tensor) -> Tensor:
        fits = picture.dim() == 4 and picture.shape[1] == self.conditioning_channels
        wanted = f"controlnet_cond [b, {self.conditioning_channels}, h, w]"
        expect(fits, "ControlNetModel", wanted, picture)
        hint: Tensor = self.controlnet_cond_embedding(picture)
        return hint


class Reader(nn.Module):
    """Convolutions that bring a picture to the size of the latents; the last starts at zero."""

    def __init__(self, channels: int, widths: tuple[int, ...], out: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for width, wider in pairwise(widths):
            self.blocks.append(nn.Conv2d(width, width, 3, padding=1))
            self.blocks.append(nn.Conv2d(width, wider, 3, padding=1, stride=2))
        self.conv_out = _zero(out, widths[-1], 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.conv_in(x))
        for block in self.blocks:
            x = F.silu(block(x))
        hint: Tensor = self.conv_out(x)
        return hint


def _zero(out: int, width: int | None = None, kernel: int = 1) -> nn.Conv2d:
    """A convolution that starts at zero, so that training starts from the U-Net as it is."""
    conv = nn.Conv2d(out if width is None else width, out, kernel, padding=kernel // 2)
    for parameter in conv.parameters():
        nn.init.zeros_(parameter)
    return conv
