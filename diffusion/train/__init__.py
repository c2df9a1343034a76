"""Training: the loop, its state, optimisers and checkpoints."""

from .optimizer import AdamW

__all__ = ["AdamW"]
