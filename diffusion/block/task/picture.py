"""Pictures as people have them, as a model's data hold them."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...data import Images, Latent
from ...errors import InputError, MismatchError
from ...model import Model
from ..base import Block
from ..coder import state
from ..port import Ports

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class Read(Block):
    """A picture or several, of PIL, numpy or torch, as items of a model.

    Args:
        model: whose items they become. size: height and width, instead of the model's own; an
            autoencoder that does not say how it scales leaves any size.

    Arrays are `[h, w]`, `[h, w, c]` or `[b, h, w, c]`, tensors `[c, h, w]` or `[b, c, h, w]`; bytes
    0..255, or floats in [0, 1].
    """

    model: Model[Any]
    size: tuple[int, int] | None = None

    def __call__(self, image: Any) -> Annotated[Tensor, "image: b c h w"]:
        found = pictures(image, channels(self.model))
        wanted = self.size or sides(self.model)
        if wanted is not None and tuple(found.shape[2:]) != wanted:
            high, wide = found.shape[2:]
            raise InputError(
                f"image: expected {wanted[0]}×{wanted[1]} pixels (height × width), for samples of "
                f"shape {list(self.model.shape)}; got {high}×{wide}. Resize it; or load the model "
                "with shape=(c, h, w) for another size."
            )
        return found * (highest(self.model) / 255)


class Mask(Block):
    """A picture of what is to be painted (white) as where the latents of a picture are kept.

    Each latent takes the upper left pixel of those it stands for, as in Diffusers.
    """

    model: Model[Any]

    def ports(self) -> Ports:
        return super().ports().typed(original=state(self.model))

    def __call__(
        self, mask_image: Any, image: Annotated[Tensor, "n k H W"],
        original: Annotated[Any, "b c h w"],
    ) -> Annotated[Tensor, "kept: m one h w"]:  # fmt: skip
        """`mask_image`: as for `Read`, of the size of `image`; or booleans, True is painted."""
        white = pictures(mask_image, 1) >= 127.5
        if white.shape[2:] != image.shape[2:] or len(white) not in (1, len(original)):
            raise InputError(
                f"mask_image: expected {image.shape[2]}×{image.shape[3]} pixels, as the picture "
                f"has, one mask or one for each of {len(original)} samples; got "
                f"{len(white)} of {white.shape[2]}×{white.shape[3]}."
            )
        small = F.interpolate(white.float(), size=original.shape[2:])
        return (small < 0.5).to(original.device)


def pictures(value: Any, count: int) -> Tensor:
    """Any pictures as floats 0..255, `[b, count, h, w]`. Errors: what is no picture."""
    if isinstance(value, (list, tuple)):
        if not value:
            raise InputError("image: expected a picture, or several; got none.")
        found = [pictures(one, count) for one in value]
        sizes = {tuple(one.shape[1:]) for one in found}
        if len(sizes) > 1:
            raise InputError(f"image: expected pictures of one size; got {sorted(sizes)}.")
        return torch.cat(found)
    if hasattr(value, "convert") and hasattr(value, "size"):  # of PIL
        value = np.array(value.convert(MODES.get(count, "RGB")))
    if isinstance(value, np.ndarray):
        value = _first(value)
    if not isinstance(value, Tensor):
        raise InputError(
            f"image: expected a picture of PIL, an array or a tensor; got {type(value).__name__}."
        )
    return _scaled(_whole(value, count), value.dtype)


def highest(model: Model[Any]) -> int:
    """The largest value of a pixel in a model's items."""
    data = model.data
    inner = data.inner if isinstance(data, Latent) else data
    return inner.levels - 1 if isinstance(inner, Images) else 255


def channels(model: Model[Any]) -> int:
    """Of the pictures that a model makes."""
    shape = model.shape
    if isinstance(model.data, Latent):
        return int(getattr(model.data.autoencoder, "channels", 3))
    if isinstance(shape, dict) or len(shape) != 3:
        raise MismatchError(f"the model makes samples of shape {shape}, which are no pictures.")
    return int(shape[0])


def sides(model: Model[Any]) -> tuple[int, int] | None:
    """Height and width of the pictures that a model makes, if that is known."""
    *_, high, wide = model.shape
    if not isinstance(model.data, Latent):
        return high, wide
    factor = getattr(model.data.autoencoder, "factor", None)
    return None if factor is None else (high * factor, wide * factor)


def _first(array: np.ndarray[Any, Any]) -> Tensor:
    """An array with channels last as a tensor with channels first."""
    found = torch.from_numpy(np.ascontiguousarray(array))
    if found.dim() == 2:
        return found[None]
    return found.movedim(-1, -3) if found.dim() in (3, 4) else found


def _whole(value: Tensor, count: int) -> Tensor:
    """`[b, count, h, w]`; grey becomes as many channels as there should be."""
    whole = value[None, None] if value.dim() == 2 else value[None] if value.dim() == 3 else value
    if whole.dim() != 4 or whole.shape[1] not in (1, count):
        raise InputError(
            f"image: expected {count} channels, [b, {count}, h, w] or [{count}, h, w] (in numpy "
            f"they are the last axis); got {list(value.shape)} with channels first."
        )
    return whole.expand(-1, count, -1, -1)


def _scaled(value: Tensor, dtype: torch.dtype) -> Tensor:
    """Floats 0..255 of bytes, of booleans, or of floats in [0, 1]."""
    if dtype == torch.uint8:
        return value.float()
    if dtype == torch.bool:
        return value.float() * 255
    low, high = (float(value.min()), float(value.max())) if value.numel() else (0.0, 0.0)
    if not value.is_floating_point() or low < -1e-4 or high > 1 + 1e-4:
        raise InputError(
            f"image: expected bytes (uint8) or floats in [0, 1]; got {dtype} from {low:g} to "
            f"{high:g}."
        )
    return value.float() * 255
