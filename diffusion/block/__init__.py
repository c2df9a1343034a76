"""Inference graphs of interchangeable parts: composition that is checked before it runs."""

from .base import Block
from .branch import Branch
from .coder import Decode, Describe, Encode
from .denoise import Denoise
from .parallel import Parallel
from .pipeline import Pipeline
from .repeat import Map, Repeat
from .run import BlockError
from .wired import Wired

__all__ = [
    "Block", "BlockError", "Branch", "Decode", "Denoise", "Describe", "Encode", "Map", "Parallel",
    "Pipeline", "Repeat", "Wired",
]  # fmt: skip
