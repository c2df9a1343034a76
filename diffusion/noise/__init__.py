"""Noise types: the forward process and its reversal."""

from .gaussian import Gaussian
from .joint import Joint
from .redraw import Absorbing, Mixed, Uniform
from .structured import Structured

__all__ = ["Absorbing", "Gaussian", "Joint", "Mixed", "Structured", "Uniform"]
