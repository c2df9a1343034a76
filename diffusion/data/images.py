"""Pictures, to and from [-1, 1]."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base import Data
from ..errors import InputError, require
from .folder import Folder


class Images(Data):
    """Pictures with values 0..levels-1, diffused on [-1, 1].

    Args:
        w: a folder of pictures (sub-folders are classes), an array `[n, h, w]`, `[n, c, h, w]` or
            `[n, h, w, c]`, or a data set of such pictures.
        size: pictures from a folder are scaled and cropped to size × size.
        levels: how many values a pixel has; 256 for bytes. The bound counts bits per such value.
    """

    size: int | None = None
    levels: int = 256

    def __post_init__(self) -> None:
        require(self.levels >= 2, "Images.levels", "at least 2", self.levels)
        if isinstance(self.w, (str, Path)):
            folder = Folder(Path(self.w), self.size)
            self.w = folder
            if self.y is None and folder.names:
                self.y, self.names = folder.labels, folder.names
        elif self.w is not None and hasattr(self.w, "shape"):
            self.w = _channels_first(self.w)

    @property
    def bins(self) -> float:
        return 2 / (self.levels - 1)

    def encode(self, w: Tensor) -> Tensor:
        return w.to(torch.get_default_dtype()) * self.bins - 1

    def decode(self, x: Tensor) -> Tensor:
        """Whole numbers 0..levels-1, uint8 where they fit."""
        values = ((x.float() + 1) / self.bins).round().clamp(0, self.levels - 1)
        return values.to(torch.uint8 if self.levels <= 256 else torch.int32)

    def pictures(self, w: Tensor) -> Tensor:
        """Items as bytes 0..255, `[b, c, h, w]`, whatever their levels."""
        return (w.float() * 255 / (self.levels - 1)).round().clamp(0, 255).to(torch.uint8)


def _channels_first(w: Any) -> Tensor:
    array = w if isinstance(w, Tensor) else torch.from_numpy(np.ascontiguousarray(w))
    if array.dim() == 3:
        return array[:, None]
    if array.dim() != 4:
        raise InputError(
            f"Images.w: expected [n, h, w], [n, c, h, w] or [n, h, w, c]; got {list(array.shape)}."
        )
    last = array.shape[-1] in (1, 3, 4) and array.shape[1] not in (1, 3, 4)
    return array.permute(0, 3, 1, 2).contiguous() if last else array
