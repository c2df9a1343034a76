"""Samplers: walks from noise to data."""

from .ancestral import DDIM, Ancestral

__all__ = ["DDIM", "Ancestral"]
