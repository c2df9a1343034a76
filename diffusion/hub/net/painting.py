"""A U-Net that was trained to paint a part of a picture: it sees the rest. Rombach et al. 2022."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...base.module import Module
from ..part import Part


class Painting(Module):
    """A `UNet2DConditionModel` that sees a mask and masked latents beside latents `[b, c, h, w]`.

    Its `in_channels` are 2·c + 1, as Stable Diffusion's for inpainting have 9.

    Args:
        unet: the network.

    Conditions: `mask` `[b, 1, h, w]`, 1 where it paints; `masked` `[b, c, h, w]`, the latents of
    the picture, which is grey there. Without them all of a picture is painted, over zeros.
    """

    def __init__(self, unet: Part) -> None:
        self.unet = unet

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor,
        mask: Tensor | None = None, masked: Tensor | None = None,
        class_labels: Tensor | None = None, timestep_cond: Tensor | None = None,
        added_cond_kwargs: dict[str, Tensor] | None = None,
        encoder_attention_mask: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        mask = torch.ones_like(sample[:, :1]) if mask is None else mask
        masked = torch.zeros_like(sample) if masked is None else masked
        hat: Tensor = self.unet(
            torch.cat([sample, mask, masked], 1), timestep, encoder_hidden_states,
            class_labels=class_labels, timestep_cond=timestep_cond,
            added_cond_kwargs=added_cond_kwargs, encoder_attention_mask=encoder_attention_mask,
        )  # fmt: skip
        return hat


def paints(config: dict[str, Any]) -> bool:
    """Whether a network's config is that of such a U-Net."""
    name, wide, out = (config.get(k) for k in ("_class_name", "in_channels", "out_channels"))
    return name == "UNet2DConditionModel" and wide == 2 * (out or 0) + 1
