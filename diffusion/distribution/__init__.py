"""Probability distributions: one for each element of a batch."""

from .categorical import Categorical
from .joint import Joint
from .normal import Normal

__all__ = ["Categorical", "Joint", "Normal"]
