"""Losses: what training minimises. They add, scale, and log each term by name."""

from .algebra import Product, Sampled, Sum
from .consistency import Consistency
from .discrete import CrossEntropy, Rounding
from .function import Joint, Lambda
from .meanflow import MeanFlow
from .simple import Simple
from .vlb import VLB

__all__ = [
    "VLB", "Consistency", "CrossEntropy", "Joint", "Lambda", "MeanFlow", "Product", "Rounding",
    "Sampled", "Simple", "Sum",
]  # fmt: skip
