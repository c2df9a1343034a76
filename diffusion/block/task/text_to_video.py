"""Videos of prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...base import Guidance
from ...errors import MismatchError
from ...model import Model
from ..base import Block
from ..output import Kind, Output
from ..pipeline import Pipeline
from .ask import asked, prompted
from .scheduler import Scheduler
from .text_to_image import made


def TextToVideo(
    model: Model[Any], steps: Any = 50, sampler: Scheduler = None,
    guidance: Guidance | None = None, each: Mapping[str, Block] | None = None,
    output: Kind = "pil", progress: bool = False, rate: int = 16,
) -> Pipeline:  # fmt: skip
    """The pipeline from prompts to videos, of a model such as Wan's.

        model = diffusion.load("wan", shape=(16, 21, 60, 104))
        film, = TextToVideo(model, output="mp4")(prompt="a wave", seed=0)
        Path("wave.mp4").write_bytes(film)

    Args:
        model: with a text encoder, and states `[c, frames, h, w]`. rate: frames in a second.
        output: "pil" (lists of frames), "numpy", "tensor" or "mp4".
        steps, sampler, guidance, each, progress: as for `TextToImage`.

    Inputs as for `TextToImage`; the result is called `videos`.
    """
    prompted("TextToVideo", model)
    if len(model.shape) != 4:
        raise MismatchError(
            f"TextToVideo: the model makes samples of shape {list(model.shape)}, which are no "
            "videos [c, frames, h, w]; use TextToImage."
        )
    blocks = made(model, steps, sampler, guidance, each, output, progress)
    blocks["output"] = Output(output, model, rate).rename(images="videos")
    return Pipeline(**asked(model), **blocks)
