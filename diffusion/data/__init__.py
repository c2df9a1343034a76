"""Data transforms: between what is stored and what is diffused."""

from .images import Images
from .joint import Joint
from .latent import Latent
from .plain import Embedding, Identity, OneHot

__all__ = ["Embedding", "Identity", "Images", "Joint", "Latent", "OneHot"]
