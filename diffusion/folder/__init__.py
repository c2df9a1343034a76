"""Models on disk: readable YAML and safetensors, written atomically, read without executing."""

from collections.abc import Callable
from typing import Any

from .model import load, save

__all__ = ["formats", "load", "save"]


def formats() -> dict[str, Callable[[Any, Any], None]]:
    """What writes a model to a folder, by the format's name."""
    from ..hub.save import save as pipeline

    return {"own": save, "diffusers": pipeline}
