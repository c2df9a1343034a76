"""Pictures of what a sampling has come to, while it runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import FileError, require
from ...model import Model
from ...picture import grid
from ...sampling import weights
from ..base import Block
from ..output import Output

Show = Callable[[int, list[Any]], object]


class Preview(Block):
    """The pictures that the network predicted last, every few steps and at the end.

    Args:
        model: whose `data.decode` makes pictures; for a fast look at latents, the same model with a
            small autoencoder, `model.replace(data=...)`.
        show: called with the number of the step, from 0, and a list of `PIL.Image`; or a folder,
            where `step-0004.png` is written, all of them side by side.
        every: how many steps.
    """

    model: Model[Any]
    show: Show | str | Path
    every: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.every >= 1, "Preview.every", "at least 1", self.every)

    def __call__(self, denoised: Tensor, step: int, steps: int) -> None:
        if (step + 1) % self.every and step + 1 < steps:
            return
        data = weights(self.model)[1]
        with torch.no_grad():
            items = data.decode(denoised)
        if callable(self.show):
            self.show(step, Output("pil", self.model)(items))
        else:
            pictures = Output("tensor", self.model)(items)
            _write(Path(self.show) / f"step-{step:04d}.png", grid(pictures, scale=1))


def _write(path: Path, image: Any) -> None:
    """The whole picture or none."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(part, "PNG")
        os.replace(part, path)
    except OSError as error:
        raise FileError(f"{path}: the preview could not be written ({error.strerror}).") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
