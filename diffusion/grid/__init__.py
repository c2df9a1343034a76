"""Grids: which times a sampling visits."""

from .points import Points
from .spacing import Spacing
from .uniform import Karras, Uniform

__all__ = ["Karras", "Points", "Spacing", "Uniform"]
