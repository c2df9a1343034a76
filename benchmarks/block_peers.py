"""Diffusers' pipelines over a network that costs nothing, for benchmarks/blocks.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch

Call = Callable[[], object]


def theirs(steps: int) -> dict[str, Call]:
    """Diffusers with a network that costs nothing: its scheduler by hand, and its pipelines."""
    from diffusers import DDIMPipeline, DDIMScheduler
    from diffusers.utils import logging

    logging.set_verbosity_error()
    unet, scheduler = _network(), DDIMScheduler()
    pipe = DDIMPipeline(unet, scheduler)
    pipe.set_progress_bar_config(disable=True)
    modular = _modular(unet, scheduler)

    def hand() -> object:
        scheduler.set_timesteps(steps)
        z = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            for t in scheduler.timesteps:
                z = scheduler.step(unet(z, t).sample, t, z, eta=0.0).prev_sample
        return (z / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()

    def classic() -> object:
        draws = torch.Generator().manual_seed(0)
        return pipe(batch_size=1, generator=draws, num_inference_steps=steps, output_type="np")

    return {"by hand": hand, "DDIMPipeline": classic, "modular": lambda: modular(steps=steps)}


def _network() -> Any:
    from diffusers import UNet2DModel
    from diffusers.models.unets.unet_2d import UNet2DOutput

    class Nothing(UNet2DModel):
        def forward(self, sample: Any, *_: Any, **__: Any) -> Any:
            return UNet2DOutput(sample=sample)

    return Nothing(sample_size=8, in_channels=1, out_channels=1, block_out_channels=(32, 32),
                   down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
                   layers_per_block=1)  # fmt: skip


def _modular(unet: Any, scheduler: Any) -> Callable[..., object]:
    """A modular pipeline: blocks that begin, a loop of two blocks over the times, an end."""
    from diffusers import modular_pipelines as m
    from diffusers.modular_pipelines.modular_pipeline_utils import (
        ComponentSpec,
        InputParam,
        OutputParam,
    )  # fmt: skip

    class Begin(m.ModularPipelineBlocks):
        expected_components: ClassVar[list[Any]] = [ComponentSpec("scheduler", type(scheduler))]
        inputs: ClassVar[list[Any]] = [InputParam("steps")]
        intermediate_outputs: ClassVar[list[Any]] = [
            OutputParam("latents"),
            OutputParam("timesteps"),
        ]

        def __call__(self, components: Any, state: Any) -> Any:
            own = self.get_block_state(state)
            components.scheduler.set_timesteps(own.steps)
            own.timesteps = components.scheduler.timesteps
            own.latents = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
            self.set_block_state(state, own)
            return components, state

    class Predict(m.ModularPipelineBlocks):
        expected_components: ClassVar[list[Any]] = [ComponentSpec("unet", type(unet))]
        inputs: ClassVar[list[Any]] = [InputParam("latents")]

        def __call__(self, components: Any, own: Any, i: int, t: Any) -> Any:
            own.said = components.unet(own.latents, t).sample
            return components, own

    class Step(m.ModularPipelineBlocks):
        expected_components: ClassVar[list[Any]] = [ComponentSpec("scheduler", type(scheduler))]
        inputs: ClassVar[list[Any]] = [InputParam("latents")]
        intermediate_outputs: ClassVar[list[Any]] = [OutputParam("latents")]

        def __call__(self, components: Any, own: Any, i: int, t: Any) -> Any:
            own.latents = components.scheduler.step(own.said, t, own.latents, eta=0.0).prev_sample
            return components, own

    class Loop(m.LoopSequentialPipelineBlocks):
        block_classes: ClassVar[list[Any]] = [Predict, Step]
        block_names: ClassVar[list[Any]] = ["predict", "step"]
        loop_inputs: ClassVar[list[Any]] = [InputParam("timesteps")]

        @torch.no_grad()
        def __call__(self, components: Any, state: Any) -> Any:
            own = self.get_block_state(state)
            for i, t in enumerate(own.timesteps):
                components, own = self.loop_step(components, own, i=i, t=t)
            self.set_block_state(state, own)
            return components, state

    class Whole(m.SequentialPipelineBlocks):
        block_classes: ClassVar[list[Any]] = [Begin, Loop]
        block_names: ClassVar[list[Any]] = ["begin", "loop"]

    pipe = Whole().init_pipeline()
    pipe.update_components(unet=unet, scheduler=scheduler)
    return lambda steps: pipe(steps=steps, output="latents")
