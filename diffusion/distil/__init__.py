"""Distillation: losses by which a model learns from a trained one to sample in a few steps."""

from .match import Match
from .progressive import Progressive
from .student import student

__all__ = ["Match", "Progressive", "student"]
