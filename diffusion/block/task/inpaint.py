"""Pictures of which a part is painted anew, and pictures that are continued beyond their edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...base import Guidance
from ...errors import require
from ...model import Model
from ..base import Block
from ..between.inpaint import Hold
from ..coder import Encode
from ..output import Kind
from ..pipeline import Pipeline
from .around import Around, trained
from .ask import Seeds, Spread, asked
from .extend import Extend
from .picture import Mask, Read
from .scheduler import Scheduler, scheduled
from .start import Start
from .text_to_image import RESULT, made, outputs


def Inpaint(
    model: Model[Any], steps: Any = 50, sampler: Scheduler = None,
    guidance: Guidance | None = None, each: Mapping[str, Block] | None = None,
    output: Kind = "pil", progress: bool = False,
) -> Pipeline:  # fmt: skip
    """The pipeline that paints a part of a picture anew, with any model of pictures.

        Inpaint(model)(prompt="a hat", image=picture, mask_image=mask, seed=0)

    Args: as for `TextToImage`; the block `Hold` runs before those of `each`. A U-Net that was
    trained for it, with 9 channels, sees what is around instead: see `Around`.

    Inputs: `image` and `mask_image` (white, or True, is painted anew), see `Read` and `Mask`;
    `strength`, of the noise that the picture begins with: left out, that is noise alone. Beside
    them the prompts or classes, as the model takes them, and `seed`.
    """
    return _painted("Inpaint", {}, model, steps, sampler, guidance, each, output, progress)


def Outpaint(
    model: Model[Any], steps: Any = 50, sampler: Scheduler = None,
    guidance: Guidance | None = None, each: Mapping[str, Block] | None = None,
    output: Kind = "pil", progress: bool = False,
) -> Pipeline:  # fmt: skip
    """The pipeline that continues a picture that is smaller than the model's, beyond its edges.

        Outpaint(model)(prompt="a beach", image=small, top=0, left=32, seed=0)

    Args and inputs as for `Inpaint`; `top` and `left`, where the picture lies, instead of a mask:
    left out, in the middle.
    """
    require(isinstance(model, Model), "Outpaint.model", "a Model", type(model).__name__)
    extend: dict[str, Any] = {"extend": Extend(model)}
    return _painted("Outpaint", extend, model, steps, sampler, guidance, each, output, progress)


def _painted(
    task: str, before: dict[str, Any], model: Model[Any], steps: Any, sampler: Scheduler,
    guidance: Guidance | None, each: Mapping[str, Block] | None, output: Kind, progress: bool,
) -> Pipeline:  # fmt: skip
    require(isinstance(model, Model), f"{task}.model", "a Model", type(model).__name__)
    model = scheduled(model, sampler)
    sees = trained(model)
    between = {**({} if sees else {"hold": Hold(model)}), **(each or {})}
    start: dict[str, Any] = {
        **before,
        "read": Read(model),
        "encode": Encode(model).rename(latents="original"),
        "spread": Spread(model).rename(latents="original"),
        "mask": Mask(model),
        "seeds": Seeds(),
        "start": Start(model),
        **({"around": Around(model)} if sees else {}),
    }
    blocks = made(model, steps, None, guidance, between, output, progress, RESULT)
    return Pipeline(outputs=outputs(blocks), **asked(model), **start, **blocks)
