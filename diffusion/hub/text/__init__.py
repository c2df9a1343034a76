"""Prompts made conditions: text encoders and tokenizers of transformers, joined as pipelines do."""

from .clip import StableDiffusion, StableDiffusionXL
from .mixed import Flux, StableDiffusion3
from .prompts import Prompts
from .read import RECIPES, read
from .sentences import Sentences
from .t5 import PixArt, Wan

__all__ = [
    "RECIPES", "Flux", "PixArt", "Prompts", "Sentences", "StableDiffusion", "StableDiffusion3",
    "StableDiffusionXL", "Wan", "read",
]  # fmt: skip
