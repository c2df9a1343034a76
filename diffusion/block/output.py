"""What a pipeline hands out: pictures of PIL, arrays, tensors, or films."""

from __future__ import annotations

import importlib
import io
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..data import Images, Latent
from ..errors import DiffusionError, InputError, require
from ..model import Model
from .base import Block

Kind = Literal["pil", "numpy", "tensor", "mp4"]


class Output(Block):
    """Items of a model's data for people: pictures, or videos of `[b, c, frames, h, w]`.

    | kind | pictures | videos |
    |---|---|---|
    | "pil" | a list of `PIL.Image` | a list of lists of them, the frames |
    | "numpy" | bytes `[b, h, w, c]` | bytes `[b, frames, h, w, c]` |
    | "tensor" | bytes `[b, c, h, w]` | bytes `[b, c, frames, h, w]` |
    | "mp4" | - | a list of `bytes`, a file each (H.264) |

    Args:
        kind: see above. model: whose items they are; None if they are bytes 0..255 already.
        rate: frames in a second, of "mp4".

    Errors: a kind that does not fit the items; "mp4" without PyAV (the extra `video`).
    """

    kind: Kind = "pil"
    model: Model[Any] | None = None
    rate: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.rate >= 1, "Output.rate", "frames in a second, at least 1", self.rate)

    def __call__(self, image: Tensor) -> Annotated[Any, "images"]:
        found = self._bytes(image).cpu()
        fits = found.dim() in (4, 5) and found.shape[1] in (1, 3, 4)
        require(fits, "Output", "[b, c, h, w] or [b, c, frames, h, w] with 1, 3 or 4 channels",
                list(found.shape))  # fmt: skip
        if self.kind == "tensor":
            return found
        arrays = found.movedim(1, -1).contiguous().numpy()
        if self.kind == "numpy":
            return arrays
        video = found.dim() == 5
        if self.kind == "pil":
            return [[_picture(one) for one in row] if video else _picture(row) for row in arrays]
        require(video, "Output.kind", "'pil', 'numpy' or 'tensor' for pictures", "'mp4'")
        return [mp4(row, self.rate) for row in arrays]

    def _bytes(self, image: Tensor) -> Tensor:
        data: Any = None if self.model is None else self.model.data
        inner = data.inner if isinstance(data, Latent) else data
        if isinstance(inner, Images):
            return inner.pictures(image)
        if image.dtype != torch.uint8:
            raise InputError(
                f"Output: expected bytes, or the model of the items; got {image.dtype}. "
                "Output(model=...) of a model whose data are data.Images makes bytes of them."
            )
        return image


def mp4(frames: np.ndarray[Any, Any], rate: int) -> bytes:
    """A film of frames `[n, h, w, c]`, bytes, as a file. Errors: PyAV is not there."""
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        raise DiffusionError(
            "films are written by PyAV, which is not installed: pip install "
            "'diffusion-modules[video]'; or take output='pil', the frames."
        ) from error
    high, wide = frames.shape[1] // 2 * 2, frames.shape[2] // 2 * 2  # H.264 has even sides
    colours = frames[:, :high, :wide, :3].repeat(3 if frames.shape[-1] == 1 else 1, axis=-1)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = wide, high, "yuv420p"
        for frame in colours:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return file.getvalue()


def _picture(array: np.ndarray[Any, Any]) -> Any:
    from PIL import Image

    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
