"""Inference graphs of interchangeable parts: composition that is checked before it runs."""

from .base import Block
from .between import After, Call, Hold, Log, Preview, Stop
from .branch import Branch
from .coder import Decode, Describe, Encode
from .conditions import Conditions
from .denoise import Denoise
from .output import Output
from .parallel import Parallel
from .pipeline import Pipeline
from .repeat import Map, Repeat
from .run import BlockError
from .task import (
    Around,
    Attach,
    Avoid,
    Classes,
    ClassToImage,
    Control,
    Enlarge,
    Extend,
    ImageToImage,
    Inpaint,
    Keep,
    Mask,
    Observed,
    Outpaint,
    Read,
    Regional,
    Regions,
    Seeds,
    Several,
    Spread,
    Start,
    Strength,
    TextToImage,
    TextToVideo,
    Upscale,
    controlled,
    regional,
    scheduled,
)
from .wired import Wired

__all__ = [
    "After", "Around", "Attach", "Avoid", "Block", "BlockError", "Branch", "Call", "ClassToImage",
    "Classes", "Conditions", "Control", "Decode", "Denoise", "Describe", "Encode", "Enlarge",
    "Extend", "Hold", "ImageToImage", "Inpaint", "Keep", "Log", "Map", "Mask", "Observed",
    "Outpaint", "Output", "Parallel", "Pipeline", "Preview", "Read", "Regional", "Regions",
    "Repeat", "Seeds", "Several", "Spread", "Start", "Stop", "Strength", "TextToImage",
    "TextToVideo", "Upscale", "Wired", "controlled", "regional", "scheduled",
]  # fmt: skip
