"""Diffusion models assembled from modules: trained, sampled, inspected and shipped."""

from .base import Batch
from .model import Model

__all__ = ["Batch", "Model"]
__version__ = "0.1.0"
