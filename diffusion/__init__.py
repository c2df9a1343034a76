"""Diffusion models assembled from modules: trained, sampled, inspected and shipped."""

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

__all__ = [
    "Batch", "Model", "base", "data", "distribution", "guidance", "loss", "net", "noise", "sampler",
    "schedule", "time", "train", "weight",
]  # fmt: skip
__version__ = "0.1.0"
