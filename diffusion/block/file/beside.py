"""Models that are in no folder, written as folders beside a pipeline's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...errors import InputError
from ...fit.modules import precision
from ...folder.config import describe
from ...folder.source import Source
from ...hub.denoiser import Denoiser
from ...model import Model


def save(model: Model[Any], folder: Path, path: str) -> None:
    """Write a model, and remember there where it can be read again.

    In this library's format if that holds it, else in that of Diffusers. `path` is for errors.
    """
    missing = _missing(model)
    if missing is None:
        model.save(folder)
        return
    if not isinstance(model.net, Denoiser):
        raise InputError(
            f"{path}: the model's {missing}. Read the model with diffusion.load, or save it in a "
            "format that holds it."
        )
    model.save(folder, format="diffusers")
    dtype = precision(model.net)
    model.source = Source(str(folder.resolve()), dtype=None if dtype == torch.float32 else dtype)


def _missing(model: Model[Any]) -> str | None:
    """What of a model no file of this library can hold, or None."""
    for key in ("data", "schedule", "noise", "net", "time", "guidance", "sampler"):
        plain = describe(getattr(model, key), {}, key)
        if "'missing'" in repr(plain):
            return f"{key} holds what no file can: {plain!r:.200}"
    return None
