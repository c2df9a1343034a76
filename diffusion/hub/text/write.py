"""One text encoder or tokenizer made a folder."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...errors import require
from .extra import quiet
from .load import ENCODERS

PREFIX = "text_model."


def write(part: Any, folder: Path) -> list[str | None]:
    """Write a component; returns its entry in a `model_index.json`."""
    if part is None:
        return [None, None]
    name = type(part).__name__
    with quiet():
        if isinstance(part, nn.Module):
            _save(part, folder)
        else:
            part.save_pretrained(folder)
    return ["transformers", name]


def _save(encoder: Any, folder: Path) -> None:
    name, known = type(encoder).__name__, ", ".join(ENCODERS)
    require(name in ENCODERS, str(folder), f"an encoder that can be read: {known}", name)
    encoder.save_pretrained(folder, state_dict=_tensors(encoder))


def _tensors(encoder: nn.Module) -> dict[str, Tensor]:
    """Its tensors, those of CLIP by the names that every version of transformers reads.

    Version 5 drops a prefix when it writes them, and version 4 finds none without it.
    """
    named = encoder.state_dict()
    if type(encoder).__name__ != "CLIPTextModel":
        return named
    return {PREFIX + name.removeprefix(PREFIX): tensor for name, tensor in named.items()}
