r"""Weights of the squared error by signal-to-noise ratio.

A weight says what an error in x counts, as a function of SNR = signal²/sigma². `Simple` divides by
the squared gain of the parameter it measures (see `diffusion.parameter`), so one weight means the
same loss whatever the network predicts.
"""

from abc import abstractmethod

from torch import Tensor

from .component import Component

__all__ = ["EDM", "P2", "SNR", "MinSNR", "Sigmoid", "Weight"]


class Weight(Component):
    """What a squared error in x counts at a signal-to-noise ratio."""

    @abstractmethod
    def __call__(self, snr: Tensor) -> Tensor:
        """Weights `[b]` for ratios `[b]`, float64."""


class SNR(Weight):
    """SNR itself: the plain squared error of epsilon. Ho et al. 2020, equation 14."""

    def __call__(self, snr: Tensor) -> Tensor:
        return snr


class MinSNR(Weight):
    """min(SNR, gamma). Hang et al. 2023."""

    gamma: float = 5.0

    def __call__(self, snr: Tensor) -> Tensor:
        return snr.clamp_max(self.gamma)


class P2(Weight):
    r"""$SNR/(k + SNR)^\gamma$: less weight on the last, imperceptible details. Choi et al. 2022."""

    k: float = 1.0
    gamma: float = 1.0

    def __call__(self, snr: Tensor) -> Tensor:
        return snr / (self.k + snr) ** self.gamma


class Sigmoid(Weight):
    r"""$SNR\cdot s(bias - \log SNR)$. Hoogeboom et al. 2024 (Simpler diffusion), section 3.1."""

    bias: float = -1.0

    def __call__(self, snr: Tensor) -> Tensor:
        return snr * (self.bias - snr.log()).sigmoid()


class EDM(Weight):
    r"""$(\sigma^2 + \sigma_d^2)/(\sigma\sigma_d)^2$ with $\sigma = SNR^{-1/2}$: one for F.

    Karras et al. 2022, table 1. Args: sigma_data: standard deviation of the data.
    """

    sigma_data: float = 0.5

    def __call__(self, snr: Tensor) -> Tensor:
        return snr + 1 / self.sigma_data**2
