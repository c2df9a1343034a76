"""Pictures of pictures: noised for a part of the time, and denoised again. Meng et al. 2022."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...base import Guidance
from ...errors import require
from ...model import Model
from ..base import Block
from ..coder import Encode
from ..output import Kind
from ..pipeline import Pipeline
from .ask import Spread, asked
from .picture import Read
from .scheduler import Scheduler
from .start import Strength
from .text_to_image import RESULT, made, outputs


def ImageToImage(
    model: Model[Any], steps: Any = 50, sampler: Scheduler = None,
    guidance: Guidance | None = None, each: Mapping[str, Block] | None = None,
    output: Kind = "pil", progress: bool = False, strength: float = 0.8,
) -> Pipeline:  # fmt: skip
    """The pipeline that changes a picture, for any model of pictures.

        ImageToImage(model, steps=50)(prompt="a fox", image=picture, strength=0.6, seed=0)

    Args: as for `TextToImage`. strength: how noisy pictures are made, unless the call says.

    Inputs: `image` (see `Read`), one, or one for each prompt or sample; `strength` in (0, 1], a
    share of time: sampling starts at t = strength·T, and visits those of the times of all `steps`
    that are left. Beside them the prompts or classes, as the model takes them, and `seed`.

    Diffusers' strength is a share of the number of steps instead, counted down to a whole one, and
    its autoencoder's latents are drawn; here they are the mean, and the same for each seed.
    """
    require(isinstance(model, Model), "ImageToImage.model", "a Model", type(model).__name__)
    blocks = made(model, steps, sampler, guidance, each, output, progress, RESULT)
    start: dict[str, Any] = {
        "read": Read(model), "encode": Encode(model), "spread": Spread(model),
        "strength": Strength(strength),
    }  # fmt: skip
    return Pipeline(outputs=outputs(blocks), **asked(model), **start, **blocks)
