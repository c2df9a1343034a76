"""What every autoencoder does. Kingma & Welling 2014; Rombach et al. 2022."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from ...base.module import Module
from ...errors import require
from ...net.sizes import expect


class Autoencoder(Module):
    """Pictures `[b, c, h, w]` or videos `[b, c, t, h, w]` in [-1, 1] to latents, and back.

    Latents are as the decoder reads them; what a diffusion model sees is scaled and shifted by the
    config's `scaling_factor`, `shift_factor`, `latents_mean` and `latents_std`.
    """

    @property
    @abstractmethod
    def factor(self) -> int:
        """Pixels along each side of a latent."""

    @property
    @abstractmethod
    def variational(self) -> bool:
        """Whether the code is a Gaussian's mean and log variance; else it is the latents."""

    @abstractmethod
    def code(self, x: Tensor) -> Tensor:
        """What the encoder says of `x`."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Latents to pictures or videos."""

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and log variance of the latents of `x`. Errors: no variational autoencoder."""
        name = type(self).__name__
        require(self.variational, f"{name}.moments", "a variational autoencoder", name)
        return _moments(self.code(x))

    def encode(
        self, x: Tensor, sample: bool = False, generator: torch.Generator | None = None
    ) -> Tensor:
        """Latents of `x`: their mean, or a draw from N(mean, exp(log variance)).

        Args:
            sample: draw. Autoencoders that are not variational have one answer.
            generator: for the draw; it may live on another device.
        """
        code = self.code(x)
        if not self.variational:
            return code
        mean, log_variance = _moments(code)
        if not sample:
            return mean
        device = mean.device if generator is None else generator.device
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=device)
        return mean + (0.5 * log_variance).exp() * noise.to(mean.device)

    def forward(self, sample: Tensor) -> Tensor:
        """The reconstruction, differentiable."""
        return self.decode(self.encode(sample))

    def _expect(self, method: str, x: Tensor, wanted: str, fits: bool, fix: str = "") -> None:
        """Raise `InputError` unless an input fits; under autocast its precision may be any."""
        fits = fits and x.is_floating_point()
        expect(fits, f"{type(self).__name__}.{method}", f"floating {wanted}", x, fix)


def _moments(code: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_variance = code.chunk(2, dim=1)
    return mean, log_variance.clamp(-30.0, 20.0)
