"""Samplers: walks from noise to data."""

from .adams import Adams
from .adaptive import Adaptive
from .ancestral import DDIM, Ancestral
from .discrete import Confident, EntropyBound, Remask, TauLeap, Trapezoidal
from .jump import Consistency, Jump
from .on import On
from .presets import (
    DEIS,
    LMS,
    RES,
    RES2S,
    RES3S,
    RK4,
    SDE,
    DPMSolverPP,
    DPMSolverPP2MSDE,
    DPMSolverPP2S,
    DPMSolverPP3M,
    DPMSolverPP3MSDE,
    Euler,
    FlowAdams,
    Heun,
    Midpoint,
    UniPC,
)
from .runge_kutta import RungeKutta
from .tuned import Tuned

__all__ = [
    "DDIM", "DEIS", "LMS", "RES", "RES2S", "RES3S", "RK4", "SDE", "Adams", "Adaptive", "Ancestral",
    "Confident", "Consistency", "DPMSolverPP", "DPMSolverPP2MSDE", "DPMSolverPP2S",
    "DPMSolverPP3M", "DPMSolverPP3MSDE", "EntropyBound", "Euler", "FlowAdams", "Heun", "Jump",
    "Midpoint", "On", "Remask", "RungeKutta", "TauLeap", "Trapezoidal", "Tuned", "UniPC",
]  # fmt: skip
