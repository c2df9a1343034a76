"""Whether the ids in the data are classes of the noise, before training finds out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import MismatchError
from ..noise.categorical import Redraw
from ..noise.redraw import Absorbing

if TYPE_CHECKING:
    from ..model import Model


def ids(model: Model[Any]) -> None:
    """Raise on encoded ids that the noise has no class for, or that mean its mask."""
    noise, w = model.noise, model.data.w
    if not isinstance(noise, Redraw) or not isinstance(w, Tensor) or w.is_floating_point():
        return
    if not isinstance(model.state_dtype, torch.dtype) or model.state_dtype.is_floating_point:
        return
    x = model.data.encode(w)
    low, high = int(x.min()), int(x.max())
    if low < 0 or high >= noise.classes:
        raise MismatchError(
            f"data and noise: {noise!r} has the classes 0..{noise.classes - 1}; the data hold ids "
            f"{low}..{high}. Give the noise at least {high + 1} classes, and one more for a mask."
        )
    if isinstance(noise, Absorbing) and bool((x == noise.mask).any()):
        raise MismatchError(
            f"data and noise: the data hold the id {noise.mask}, which is the mask of {noise!r}. "
            "Give the mask an id of its own: one class more than the data have."
        )
