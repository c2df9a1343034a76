"""A folder's denoiser with another network or another way to be told the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ...base import Schedule
from ...base.module import Module
from ...hub.denoiser import Denoiser
from ...hub.scheduler.timestep import Timestep


def remade(
    own: Denoiser, schedule: Schedule, network: nn.Module | None = None,
    timestep: Timestep | None = None,
) -> Denoiser:  # fmt: skip
    """A denoiser that shares the weights of `own`."""
    null: Any = True if own.without is not None else dict(own.null) or None
    made = Denoiser(
        own.network if network is None else network, schedule, timestep or own.timestep,
        own.labels, null, own.pixels,
    )  # fmt: skip
    made.origin = dict(own.origin)
    return made.train(own.training)


class Controlled(Module):
    """A `UNet2DConditionModel` that is told what control networks say of a picture.

    Args:
        network: the U-Net. control: a `ControlNetModel`, asked at each step about `control`
            `[b, c, h, w]`; None where features are given. scale: of what is added.

    `features` are those of a `T2IAdapter`, by number; they depend on the picture alone.
    """

    def __init__(
        self, network: nn.Module, control: nn.Module | None = None, scale: float = 1.0
    ) -> None:
        self.network, self.control, self.scale = network, control, scale

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor,
        control: Tensor | None = None, features: Mapping[str, Tensor] | None = None,
        class_labels: Tensor | None = None, timestep_cond: Tensor | None = None,
        added_cond_kwargs: dict[str, Tensor] | None = None,
        encoder_attention_mask: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        added: dict[str, Any] = {}
        if control is not None and self.control is not None:
            down, middle = self.control(
                sample, timestep, encoder_hidden_states, control, self.scale, added_cond_kwargs
            )
            added |= {"down_block_additional_residuals": down}
            added |= {"mid_block_additional_residual": middle}
        if features is not None:
            scaled = [self.scale * features[str(i)] for i in range(len(features))]
            added["down_intrablock_additional_residuals"] = scaled
        hat: Tensor = self.network(
            sample, timestep, encoder_hidden_states, class_labels=class_labels,
            timestep_cond=timestep_cond, added_cond_kwargs=added_cond_kwargs,
            encoder_attention_mask=encoder_attention_mask, **added,
        )  # fmt: skip
        return hat
