"""Large pictures of small ones: by a model that was trained for it, or by guidance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...base import Guidance
from ...data import Images, Latent
from ...errors import InputError, MismatchError, require
from ...guidance.operator import Operator
from ...model import Model
from ...net.beside import OWN, PICTURE
from ..base import Block
from ..output import Kind
from ..pipeline import Pipeline
from ..port import Ports
from .ask import Classes
from .observed import SEEN, Observed
from .picture import channels, pictures
from .scheduler import Scheduler
from .text_to_image import RESULT, made

UNUSED = ("batch", "latents", "strength", "known", "mask")
"""Inputs of `Denoise` that are the first stage's alone."""


def Upscale(
    model: Model[Any], steps: Any = 50, sampler: Scheduler = None,
    guidance: Guidance | None = None, each: Mapping[str, Block] | None = None,
    output: Kind = "pil", progress: bool = False, low: Block | None = None,
    operator: Operator | None = None,
) -> Pipeline:  # fmt: skip
    """The pipeline from small pictures to large ones.

        Upscale(model)(image=small, seed=0)
        Upscale(model, low=ClassToImage(small_model, output="tensor"))(label=3, seed=0)
        Upscale(faces, operator=operator.Pool(4), guidance=Observed(...))(image=small)

    Args:
        model: an upscaling model, whose conditions are small pictures: `y` `[b, c, h, w]` in
            [-1, 1], enlarged to the height and width of its states, such as one whose network is
            `net.UNet(..., beside=c)`.
        low: what makes the small pictures, `images`: a first stage, whose inputs the pipeline
            then has instead of `image`.
        operator: how a large picture becomes a small one, such as `guidance.operator.Pool(4)`. The
            model may then be any model of pixels: `guidance`, by default `Observed(operator)` after
            the model's own, leads to those that become the given one.
        steps, sampler, each, output, progress: as for `TextToImage`.

    Inputs: `image` (see `Read`), `seed`, and `label` where the model has classes and they are
    known; see `Enlarge`. A first stage reads the same. Errors: an operator with a model of latents.
    """
    require(isinstance(model, Model), "Upscale.model", "a Model", type(model).__name__)
    if operator is not None:
        guidance = _observing(model, operator, guidance)
    blocks = made(model, steps, sampler, guidance, each, output, progress, RESULT)
    unused = dict.fromkeys(UNUSED)
    blocks["denoise"] = blocks["denoise"].bind(**unused).rename(
        conditions="small", noise="fine_noise", latents="fine"
    )  # fmt: skip
    blocks["decode"] = blocks["decode"].rename(latents="fine")
    first = {} if low is None else {"low": low.rename(images="image")}
    enlarge = Enlarge(model, observed=operator is not None)
    return Pipeline(outputs=("images",), **first, enlarge=enlarge, **blocks)


class Enlarge(Block):
    """Small pictures as the conditions of a model: enlarged, or as they were observed.

    A model with classes may be told those too: `label`, one, or one for each picture, or for each
    group of neighbours of one size, as a first stage with several pictures per label makes them.
    """

    model: Model[Any]
    observed: bool = False

    def ports(self) -> Ports:
        ports = super().ports()
        if getattr(self.model.net, "labels", 0):
            return ports
        return ports._replace(inputs={"image": ports.inputs["image"]})

    def __call__(
        self, image: Any, label: str | int | Sequence[str | int] | None = None
    ) -> Annotated[Any, "small"]:
        found = pictures(image, channels(self.model)) / 127.5 - 1
        found = self.model.cast(found.to(self.model.device))
        ids = None if label is None else self._classes(label, len(found))
        if self.observed:
            none = torch.zeros(len(found), dtype=torch.long)
            return {OWN: none if ids is None else ids, SEEN: found}
        large = F.interpolate(found, size=self.model.shape[-2:], mode="bicubic").clamp(-1, 1)
        return large if ids is None else {OWN: ids, PICTURE: large}

    def _classes(self, label: Any, count: int) -> Tensor:
        ids: Tensor = Classes(self.model)(label)
        if count % len(ids):
            raise InputError(
                f"label: expected one, or one for each of {count} pictures; got {len(ids)}."
            )
        return ids.repeat_interleave(count // len(ids))


def _observing(model: Model[Any], operator: Operator, given: Guidance | None) -> Guidance:
    if isinstance(model.data, Latent) or not isinstance(model.data, Images):
        raise MismatchError(
            "Upscale: an operator acts on pixels, and this is a model of latents or of other "
            "items; use an upscaling model, without operator=."
        )
    if given is not None:
        return given
    observed = Observed(operator)
    return observed if model.guidance is None else model.guidance | observed
