"""Samplers: walks from noise to data."""

from .adams import Adams
from .ancestral import DDIM, Ancestral
from .presets import DEIS, LMS, DPMSolverPP, Euler, UniPC

__all__ = ["DDIM", "DEIS", "LMS", "Adams", "Ancestral", "DPMSolverPP", "Euler", "UniPC"]
