"""Faults of data, of what is given, and of blocks."""

from __future__ import annotations

from diffusion import data
from diffusion.block import Decode

from . import wrong
from .faults import (
    Blur,
    BrokenTint,
    Clip,
    Fault,
    FloatTint,
    LateClip,
    Push,
    RoundedTint,
    Tint,
    blocks,
    model,
    modules,
)
from .pairs import (
    bound,
    branched,
    denoise,
    described,
    harmless_before,
    inserted,
    inside_repeat,
    latent,
    nested,
    removed,
    reordered,
    repeated,
    retrained,
    rewired,
)

D, C = "denoise", "denoise.clip"


AROUND = [
    # Data
    Fault(
        "latents decoded at another scale", "decode", None, "data", latent((1.0, 1.0), (1.0, 1.2))
    ),
    Fault(
        "latents encoded at another scale", "encode", None, "data", latent((1.0, 1.2), (1.0, 1.0))
    ),
    Fault("another decoder weight", "decode", None, "data", retrained),
    Fault(
        "swapped channels in decode",
        "decode",
        None,
        "data",
        blocks(decode=lambda: Decode(model(data=wrong.Swapped(names=("cat", "dog", "owl"))))),
    ),
    Fault(
        "another default of levels in decode",
        "decode",
        None,
        "data",
        blocks(decode=lambda: Decode(model(data=data.Images(levels=255)))),
    ),
    Fault(
        "permuted class names",
        D,
        None,
        "data",
        modules(data=lambda: data.Images(names=("dog", "cat", "owl"))),
    ),
    Fault("permuted words in the text encoder", "describe", None, "data", described),
    # Seed and inputs
    Fault("another seed", D, None, "seed", bound(seed=(1, 2))),
    Fault("another strength of noising", D, None, "inputs", bound(strength=(0.8, 0.7))),
    # Blocks between the steps
    Fault(
        "a tighter clamp between the steps", C, 0, "block", denoise({}, each={"clip": Clip(0.5)})
    ),
    Fault("a clamp that is wrong late only", C, 3, "block", denoise({}, each={"clip": LateClip()})),
    Fault(
        "a clamp between the steps is missing",
        C,
        0,
        "pipeline",
        denoise({"each": {"clip": Clip(0.5)}}, each={}),
    ),
    Fault(
        "a block between the steps is new",
        "denoise.push",
        0,
        "pipeline",
        denoise({}, each={"clip": Clip(), "push": Push()}),
    ),
    # Blocks and how they are put together
    Fault("another setting of a block", "tint", None, "block", blocks(tint=lambda: Tint(0.6))),
    Fault("a block written anew", "tint", None, "block", blocks(tint=RoundedTint)),
    Fault("a block that returns another type", "tint", None, "block", blocks(tint=FloatTint)),
    Fault("a block that fails", "tint", None, "block", blocks(tint=BrokenTint)),
    Fault("another setting in a nested pipeline", "tint.darker", None, "block", nested),
    Fault("another setting in what is repeated", "tint.0", None, "block", inside_repeat),
    Fault("once more repeated", "tint", None, "pipeline", repeated),
    Fault("a branch on another input", "tint", None, "pipeline", branched),
    Fault("a block is missing", "tint", None, "pipeline", removed),
    Fault("a block is new", "new", None, "pipeline", inserted(Blur(), "denoise")),
    Fault("two blocks in the other order", "pipeline", None, "pipeline", reordered),
    Fault("a block reads another value", "encode", None, "pipeline", rewired),
    Fault("a setting, behind a new block that only looks", "tint", None, "block", harmless_before),
]
