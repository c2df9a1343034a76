"""Denoisers of the Diffusers format, and what stands beside them."""

from .controlnet import ControlNetModel
from .dit import DiTTransformer2DModel
from .flux import FluxTransformer2DModel
from .packed import Packed
from .painting import Painting
from .pixart import PixArtTransformer2DModel
from .sd3 import SD3Transformer2DModel
from .t2i import T2IAdapter
from .unet1d import UNet1DModel
from .unet2d import UNet2DModel
from .unet2d_condition import UNet2DConditionModel
from .wan import WanTransformer3DModel

__all__ = [
    "ControlNetModel", "DiTTransformer2DModel", "FluxTransformer2DModel", "Packed",
    "Painting", "PixArtTransformer2DModel", "SD3Transformer2DModel", "T2IAdapter", "UNet1DModel",
    "UNet2DConditionModel", "UNet2DModel", "WanTransformer3DModel",
]  # fmt: skip
