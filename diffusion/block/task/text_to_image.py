"""Pictures of prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...base import Guidance
from ...model import Model
from ..base import Block
from ..coder import Decode
from ..denoise import Denoise
from ..output import Kind, Output
from ..pipeline import Pipeline
from .ask import asked, prompted
from .keep import Keep
from .scheduler import Scheduler, scheduled

RESULT = "result"
"""What decoded pictures are called where `image` is what the call gives."""


def TextToImage(
    model: Model[Any], steps: Any = 50, sampler: Scheduler = None,
    guidance: Guidance | None = None, each: Mapping[str, Block] | None = None,
    output: Kind = "pil", progress: bool = False,
) -> Pipeline:  # fmt: skip
    """The pipeline from prompts to pictures.

        pipe = TextToImage(diffusion.load("stable-diffusion"), steps=20,
                           sampler="DPMSolverMultistepScheduler")
        pipe(prompt="a cat", negative_prompt="a dog", images_per_prompt=2, seed=[1, 2])

    Args:
        model: with a text encoder. steps: how many, a `diffusion.grid`, or the times.
        sampler: a scheduler by its name in Diffusers, its settings, or a `diffusion.sampler`.
        guidance: instead of the model's own. each: blocks between the steps, by name.
        output: "pil", "numpy" or "tensor"; see `Output`. progress: show a progress bar.

    Inputs: `prompt`, `negative_prompt`, `images_per_prompt`, `seed` (one, or one for each picture),
    and those of `Denoise`. Errors: a model that reads no prompts; see `scheduled`.
    """
    prompted("TextToImage", model)
    return Pipeline(**asked(model), **made(model, steps, sampler, guidance, each, output, progress))


def made(
    model: Model[Any], steps: Any, sampler: Scheduler, guidance: Guidance | None,
    each: Mapping[str, Block] | None, output: Kind, progress: bool, result: str = "image",
) -> dict[str, Any]:  # fmt: skip
    """The blocks from conditions to pictures.

    Args:
        result: what decoded pictures are called.
    """
    model = scheduled(model, sampler)
    own = Keep(model.guidance if guidance is None else guidance)
    return {
        "denoise": Denoise(model, steps, guidance=own, each=each, progress=progress),
        "decode": _renamed(Decode(model), result),
        "output": _renamed(Output(output, model), result),
    }


def outputs(blocks: Mapping[str, Block]) -> list[str]:
    """What a pipeline of `made` returns: the pictures, and what blocks between steps make."""
    between = [key for key in blocks["denoise"].ports().outputs if key != "latents"]
    return ["images", *between]


def _renamed(block: Block, result: str) -> Block:
    return block if result == "image" else block.rename(image=result)
