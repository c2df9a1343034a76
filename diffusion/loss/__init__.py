"""Losses: what training minimises. They add, scale, and log each term by name."""

from .algebra import Product, Sampled, Sum
from .discrete import CrossEntropy, Rounding
from .function import Joint, Lambda
from .simple import Simple
from .vlb import VLB

__all__ = [
    "VLB", "CrossEntropy", "Joint", "Lambda", "Product", "Rounding", "Sampled", "Simple", "Sum",
]  # fmt: skip
