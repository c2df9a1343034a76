"""Folders in the format of Diffusers, in and out."""

from . import autoencoder, lora, net, scheduler, text
from .component import component
from .denoiser import Denoiser
from .load import load
from .push import push

__all__ = [
    "Denoiser",
    "autoencoder",
    "component",
    "load",
    "lora",
    "net",
    "push",
    "scheduler",
    "text",
]
