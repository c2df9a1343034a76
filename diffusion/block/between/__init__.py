"""Blocks between the steps of a sampling: `Denoise(model, each={...})`."""

from .call import Call
from .inpaint import Hold
from .log import Log
from .preview import Preview
from .stop import After, Stop

__all__ = ["After", "Call", "Hold", "Log", "Preview", "Stop"]
