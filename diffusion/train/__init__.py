"""Training: the loop, its state, optimisers and checkpoints."""

from .optimizer import AdamW
from .profile import Profile

__all__ = ["AdamW", "Profile"]
