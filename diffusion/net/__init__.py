"""Networks: an MLP for vectors, a U-Net for grids, a transformer for tokens and patches."""

from .chain import Chain
from .conditioned import Conditioned
from .encoder import Encoder, Projection
from .mlp import MLP
from .retimed import Retimed
from .span import Span
from .transformer import Transformer
from .unet import UNet

__all__ = [
    "MLP", "Chain", "Conditioned", "Encoder", "Projection", "Retimed", "Span", "Transformer",
    "UNet",
]  # fmt: skip
