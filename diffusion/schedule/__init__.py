"""Noise schedules: how fast signal turns into noise."""

from .continuous import Flow, Geometric, Karras, LogLinear, Sigmoid
from .discrete import Constant, Cosine, Linear, Sqrt, ZeroTerminal
from .domain import Scaled, Spectral
from .scales import Table

__all__ = [
    "Constant", "Cosine", "Flow", "Geometric", "Karras", "Linear", "LogLinear", "Scaled",
    "Sigmoid", "Spectral", "Sqrt", "Table", "ZeroTerminal",
]  # fmt: skip
