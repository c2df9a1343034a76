"""Noise schedules: how fast signal turns into noise."""

from .continuous import Flow, Geometric, Karras, LogLinear, Sigmoid
from .discrete import Constant, Cosine, Linear, Sqrt, ZeroTerminal
from .scales import Table

__all__ = [
    "Constant", "Cosine", "Flow", "Geometric", "Karras", "Linear", "LogLinear", "Sigmoid",
    "Sqrt", "Table", "ZeroTerminal",
]  # fmt: skip
