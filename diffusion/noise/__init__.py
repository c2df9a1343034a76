"""Noise types: the forward process and its reversal."""

from .clock import Clock, fit
from .gaussian import Gaussian
from .joint import Joint
from .redraw import Absorbing, Mixed, Uniform
from .split import Split
from .structured import Structured

__all__ = [
    "Absorbing",
    "Clock",
    "Gaussian",
    "Joint",
    "Mixed",
    "Split",
    "Structured",
    "Uniform",
    "fit",
]
