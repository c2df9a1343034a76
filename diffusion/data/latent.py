"""Diffusion in the latent space of a frozen autoencoder."""

from typing import Any

import torch
from torch import Tensor, nn

from ..base import Data
from ..errors import InputError
from .images import Images

Number = float | tuple[float, ...]
"""One for all channels, or one for each."""


class Latent(Data):
    """x = scale · (encoder(pixels(w)) - shift). Rombach et al. 2022.

    Args:
        autoencoder: a module with `encode(x)` and `decode(latent)`; it is frozen.
        scale: brings latents to unit variance; None measures it on the first items.
        shift: brings their mean to 0.
        inner: the transform between items and what the autoencoder reads, e.g. `Images()`.
    """

    autoencoder: Any = None
    scale: Number | None = None
    shift: Number = 0.0
    inner: Data | None = None

    def __post_init__(self) -> None:
        module = self.autoencoder
        if not (
            isinstance(module, nn.Module)
            and hasattr(module, "encode")
            and hasattr(module, "decode")
        ):
            raise InputError(
                "Latent.autoencoder: expected an nn.Module with encode(x) and decode(latent); got "
                f"{type(module).__name__}."
            )
        module.eval().requires_grad_(False)
        if self.inner is not None and self.w is not None and hasattr(self.w, "shape"):
            self.w = self.inner.vary(w=self.w).w
        if self.scale is None and self.w is not None:
            self.scale = 1.0
            some = torch.as_tensor(self.w[:256])
            self.scale = 1 / float(self.encode(some).std())

    @torch.no_grad()
    def encode(self, w: Tensor) -> Tensor:
        pixels = w if self.inner is None else self.inner.encode(w)
        latent = self.autoencoder.encode(pixels)
        scale, shift = self._each(latent)
        x: Tensor = (latent - shift) * scale
        return x

    @torch.no_grad()
    def decode(self, x: Tensor) -> Tensor:
        scale, shift = self._each(x)
        pixels: Tensor = self.autoencoder.decode(x / scale + shift)
        return pixels if self.inner is None else self.inner.decode(pixels)

    def pictures(self, w: Tensor) -> Tensor:
        """Items as bytes, where the inner transform knows how."""
        if not isinstance(self.inner, Images):
            raise InputError("Latent.pictures: give inner=data.Images(), which makes pictures.")
        return self.inner.pictures(w)

    def _each(self, x: Tensor) -> tuple[Any, Any]:
        """scale and shift, as they multiply `x`."""

        def one(value: Any) -> Any:
            if not isinstance(value, tuple):
                return value
            row = torch.tensor(value, dtype=x.dtype, device=x.device)
            return row.reshape(1, -1, *(1,) * (x.dim() - 2))

        return one(1.0 if self.scale is None else self.scale), one(self.shift)
