"""Schedulers of the Diffusers format: from their settings to modules, and back."""

from .betas import Betas, Circle
from .grid import Curve, Ladder, Skipping, Squared
from .guidance import Boundary, Kept, Quantile
from .large import Large
from .multistep import Multistep
from .plan import Plan
from .read import read
from .straight import Straight
from .timestep import Steps, Timestep
from .write import write

__all__ = [
    "Betas", "Boundary", "Circle", "Curve", "Kept", "Ladder", "Large", "Multistep", "Plan",
    "Quantile", "Skipping", "Squared", "Steps", "Straight", "Timestep", "read", "write",
]  # fmt: skip
