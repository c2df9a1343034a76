"""Probability distributions: one for each element of a batch."""

from .categorical import Categorical
from .joint import Joint
from .normal import Normal
from .point import Point

__all__ = ["Categorical", "Joint", "Normal", "Point"]
