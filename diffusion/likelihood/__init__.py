"""How likely a model finds an item: the variational bound, importance weights, and the ODE."""

from .bound import bound, reconstruction
from .importance import importance
from .ode import ode

__all__ = ["bound", "importance", "ode", "reconstruction"]
