"""What is around a part that is painted, for networks that were trained to see it."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from ... import tree
from ...errors import InputError, MismatchError
from ...hub.denoiser import Denoiser
from ...hub.net.painting import Painting
from ...model import Model
from ..base import Block
from ..coder import Encode
from .keep import with_kept
from .picture import highest, pictures


class Around(Block):
    """The mask and the picture without what is painted, beside the conditions.

    Args:
        model: with a U-Net for inpainting, `hub.net.Painting`.
    """

    model: Model[Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not trained(self.model):
            raise MismatchError(
                "Around: the model's network does not see what is around; use Hold between steps."
            )

    def __call__(
        self, conditions: Any, image: Annotated[Tensor, "n k H W"], mask_image: Any,
        kept: Annotated[Tensor, "m one h w"], batch: int | None = None,
    ) -> Annotated[Any, "conditions"]:  # fmt: skip
        """`kept`: what `Mask` makes of `mask_image`."""
        white = pictures(mask_image, 1) >= 127.5
        grey = image.new_tensor(highest(self.model) / 2)
        masked = Encode(self.model)(torch.where(white.to(image.device), grey, image))
        count = batch or tree.size(conditions)
        mask = (~kept).to(masked)
        return with_kept(conditions, mask=_rows(mask, count), masked=_rows(masked, count))


def trained(model: Model[Any]) -> bool:
    """Whether a model's network sees what is around a part that it paints."""
    return isinstance(model.net, Denoiser) and isinstance(model.net.network, Painting)


def _rows(few: Tensor, count: int) -> Tensor:
    if count % len(few):
        raise InputError(f"image, mask_image: {len(few)} of them for {count} samples.")
    return few.repeat_interleave(count // len(few), 0)
