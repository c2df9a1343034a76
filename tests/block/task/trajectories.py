"""What pipelines of Diffusers and ours sample, state by state, and how far they are apart."""

from typing import Any

import diffusers
import torch
from torch import Tensor

from diffusion.block import Call, Pipeline

STEPS = 4
CLOSE = 1e-4
NEGATIVE = ["a tree", "the sea"]
SIZE = {"guidance_scale": 7.5, "num_inference_steps": STEPS, "return_dict": False}


def gap(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference in an image, relative to its largest latent."""
    apart = (ours - theirs).abs().flatten(1).amax(1) / theirs.abs().flatten(1).amax(1)
    return float(apart.max())


def start(count: int = 2) -> Tensor:
    return torch.randn(count, 4, 8, 8, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def theirs(pipeline: Any, **options: Any) -> tuple[Tensor, list[Tensor]]:
    """Their last latents, and those after each step."""
    states: list[Tensor] = []

    def seen(own: Any, step: int, t: Any, kept: dict[str, Tensor]) -> dict[str, Tensor]:
        scale = 1.0
        if isinstance(own.scheduler, diffusers.EulerDiscreteScheduler):  # its states are z/signal
            scale = float(1 + own.scheduler.sigmas[own.scheduler.step_index] ** 2) ** -0.5
        states.append(kept["latents"] * scale)
        return kept

    pipeline.set_progress_bar_config(disable=True)
    last = pipeline(**{**SIZE, **options}, output_type="latent", callback_on_step_end=seen)[0]
    return last, states


def ours(pipe: Pipeline, **given: Any) -> tuple[Tensor, list[Tensor]]:
    """The same of a pipeline with the block `watch` between its steps."""
    latents = pipe.workflow(outputs=["latents"])
    states: list[Tensor] = []
    each = {**pipe["denoise"].each, "seen": Call(lambda state: states.append(state.clone()))}
    last: Any = latents.replace({"denoise.each": each})(**given)
    return last, states


def same(found: tuple[Tensor, list[Tensor]], wanted: tuple[Tensor, list[Tensor]]) -> None:
    assert len(found[1]) == len(wanted[1]) > 1
    for own, other in zip((*found[1], found[0]), (*wanted[1], wanted[0]), strict=True):
        assert gap(own, other) < CLOSE
