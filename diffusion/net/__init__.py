"""Networks: an MLP for vectors, a U-Net for grids, a transformer for tokens and patches."""

from .chain import Chain
from .mlp import MLP
from .span import Span
from .transformer import Transformer
from .unet import UNet

__all__ = ["MLP", "Chain", "Span", "Transformer", "UNet"]
