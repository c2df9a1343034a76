"""Pictures of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...base import Guidance
from ...errors import MismatchError, require
from ...model import Model
from ..base import Block
from ..output import Kind
from ..pipeline import Pipeline
from .ask import asked
from .scheduler import Scheduler
from .text_to_image import made


def ClassToImage(
    model: Model[Any], steps: Any = 50, sampler: Scheduler = None,
    guidance: Guidance | None = None, each: Mapping[str, Block] | None = None,
    output: Kind = "pil", progress: bool = False,
) -> Pipeline:  # fmt: skip
    """The pipeline from classes to pictures, of a model with `labels`.

        ClassToImage(model, steps=20)(label=["cat", 3], images_per_label=2, seed=0)

    Args: as for `TextToImage`. Inputs: `label`, names or ids from 1 on, one or several;
    `images_per_label`; `seed`. Errors: a model without classes.
    """
    require(isinstance(model, Model), "ClassToImage.model", "a Model", type(model).__name__)
    if not getattr(model.net, "labels", 0):
        other = "TextToImage" if model.data.text is not None else "diffusion.block.Denoise"
        raise MismatchError(
            f"ClassToImage: {type(model.net).__name__} knows no classes (its labels are 0); use "
            f"{other}."
        )
    blocks = made(model, steps, sampler, guidance, each, output, progress)
    return Pipeline(**asked(model), **blocks)
