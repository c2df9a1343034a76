"""A small picture on a larger sheet."""

from __future__ import annotations

from typing import Any, TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import InputError
from ...model import Model
from ..base import Block
from .picture import channels, pictures, sides


class Sheet(TypedDict):
    """The picture continued by its edges, and a mask of what was added."""

    image: Tensor
    mask_image: Tensor


class Extend(Block):
    """A picture at a place of one of the model's size, its edges continued as a start.

    Args:
        model: whose size. size: height and width, for a model that does not tell them.
    """

    model: Model[Any]
    size: tuple[int, int] | None = None

    def __call__(self, image: Any, top: int | None = None, left: int | None = None) -> Sheet:
        """`top`, `left`: pixels above the picture and to its left; None is the middle."""
        found = pictures(image, channels(self.model)) / 255
        size = self.size or sides(self.model)
        if size is None:
            raise InputError("Extend.size: the model does not tell its size; give (height, width).")
        first = [self._from(*one) for one in zip(("top", "left"), (top, left), found.shape[2:],
                                                 size, strict=True)]  # fmt: skip
        after = [size[i] - first[i] - found.shape[2 + i] for i in (0, 1)]
        around = (first[1], after[1], first[0], after[0])
        mask = F.pad(torch.zeros_like(found[:, :1]), around, value=1.0)
        return {"image": F.pad(found, around, mode="replicate"), "mask_image": mask}

    def _from(self, name: str, asked: int | None, own: int, whole: int) -> int:
        found = (whole - own) // 2 if asked is None else asked
        if own > whole or not 0 <= found <= whole - own:
            raise InputError(
                f"image, {name}: expected a picture within the model's {whole} pixels; it has "
                f"{own}, from {found} on."
            )
        return found
