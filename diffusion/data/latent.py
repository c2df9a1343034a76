"""Diffusion in the latent space of a frozen autoencoder."""

from typing import Any

import torch
from torch import Tensor, nn

from ..base import Data
from ..errors import InputError


class Latent(Data):
    """x = scale · encoder(pixels(w)). Rombach et al. 2022.

    Args:
        autoencoder: a module with `encode(x)` and `decode(latent)`; it is frozen.
        scale: brings latents to unit variance; None measures it on the first items.
        inner: the transform between items and what the autoencoder reads, e.g. `Images()`.
    """

    autoencoder: Any = None
    scale: float | None = None
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
        latent: Tensor = self.autoencoder.encode(pixels)
        return latent * (1.0 if self.scale is None else self.scale)

    @torch.no_grad()
    def decode(self, x: Tensor) -> Tensor:
        pixels: Tensor = self.autoencoder.decode(x / (1.0 if self.scale is None else self.scale))
        return pixels if self.inner is None else self.inner.decode(pixels)
