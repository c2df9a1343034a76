"""Driving samplers: times, conditions, noise, and the network in evaluation mode."""

from .grid import grid
from .network import weights
from .nll import nll
from .stream import Options, stream

__all__ = ["Options", "grid", "nll", "stream", "weights"]
