"""Diffusion models assembled from modules: trained, sampled, inspected and shipped."""

from typing import TYPE_CHECKING, Any

from . import (
    base,
    data,
    distribution,
    guidance,
    loss,
    net,
    noise,
    sampler,
    schedule,
    time,
    train,
    weight,
)
from .base import Batch
from .model import Model

if TYPE_CHECKING:
    from .hub import load

__all__ = [
    "Batch", "Model", "base", "data", "distribution", "guidance", "load", "loss", "net", "noise",
    "sampler", "schedule", "time", "train", "weight",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """`diffusion.load`, whose imports nobody needs who does not load."""
    if name == "load":
        from .hub import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.1.0"
