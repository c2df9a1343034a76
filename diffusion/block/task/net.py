"""A folder's denoiser with another network or another way to be told the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """A `UNet2DConditionModel` that is told what control networks say of pictures.

    Args:
        network: the U-Net. controls: by name, a `ControlNetModel`, which is asked at each step, or
            a `T2IAdapter`, whose features depend on its picture alone. scales: of what each adds.

    What several say is added up, as in Diffusers' `MultiControlNetModel` and `MultiAdapter`.
    """

    def __init__(
        self, network: nn.Module, controls: Mapping[str, Module], scales: Mapping[str, float]
    ) -> None:
        self.network, self.names = network, tuple(controls)
        self.networks = nn.ModuleList(controls.values())
        self.scales = dict(scales)

    def named(self) -> dict[str, Any]:
        """The control networks by name."""
        return dict(zip(self.names, self.networks, strict=True))

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor,
        control: Mapping[str, Tensor] | None = None,
        features: Mapping[str, Mapping[str, Tensor]] | None = None,
        class_labels: Tensor | None = None, timestep_cond: Tensor | None = None,
        added_cond_kwargs: dict[str, Tensor] | None = None,
        encoder_attention_mask: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Predict.

        Args:
            control: pictures `[b, c, h, w]`, by the names of ControlNets. features: what adapters
                made of theirs, by their names, and then by number.
        """
        own, residuals, inner = self.named(), list[list[Tensor]](), list[list[Tensor]]()
        for name, picture in (control or {}).items():
            down, middle = own[name](
                sample, timestep, encoder_hidden_states, picture, self.scales[name],
                added_cond_kwargs,
            )  # fmt: skip
            residuals.append([*down, middle])
        for name, levels in (features or {}).items():
            inner.append([self.scales[name] * levels[str(i)] for i in range(len(levels))])
        added: dict[str, Any] = {}
        if residuals:
            *down, middle = _summed(residuals)
            added["down_block_additional_residuals"] = down
            added["mid_block_additional_residual"] = middle
        if inner:
            added["down_intrablock_additional_residuals"] = _summed(inner)
        hat: Tensor = self.network(
            sample, timestep, encoder_hidden_states, class_labels=class_labels,
            timestep_cond=timestep_cond, added_cond_kwargs=added_cond_kwargs,
            encoder_attention_mask=encoder_attention_mask, **added,
        )  # fmt: skip
        return hat


def _summed(several: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Lists added entry by entry; a shorter one adds nothing to the last."""
    first, *rest = several
    found = [*first]
    for one in rest:
        shared = [a + b for a, b in zip(found, one, strict=False)]
        longer = found if len(found) > len(one) else one
        found = [*shared, *longer[len(shared) :]]
    return found
