"""Pictures for people: labelled grids, animations, loss curves."""

from .animation import animation
from .curve import curve
from .grid import grid

__all__ = ["animation", "curve", "grid"]
