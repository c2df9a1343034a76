"""Autoencoders of the Diffusers format, and ways to run them with less memory."""

from .kl import AutoencoderKL
from .sliced import Sliced
from .tiled import Tiled
from .tiny import AutoencoderTiny
from .vq import VQModel
from .wan import AutoencoderKLWan

__all__ = ["AutoencoderKL", "AutoencoderKLWan", "AutoencoderTiny", "Sliced", "Tiled", "VQModel"]
