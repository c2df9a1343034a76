"""Noise types: the forward process and its reversal."""

from .gaussian import Gaussian
from .redraw import Absorbing, Mixed, Uniform

__all__ = ["Absorbing", "Gaussian", "Mixed", "Uniform"]
