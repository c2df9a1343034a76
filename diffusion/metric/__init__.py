"""Measured quality: a judge trained on real pictures, and the Fréchet distance in its features."""

from .frechet import between, frechet
from .judge import Judge
from .quality import Quality, measure

__all__ = ["Judge", "Quality", "between", "frechet", "measure"]
