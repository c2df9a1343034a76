"""Sounds as spectra, and spoken otherwise than they were recorded."""

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from .spoken import RATE

BANDS, FRAMES = 32, 64
WINDOW, HOP = 256, 128


def spectrum(sound: Tensor) -> Tensor:
    """Logarithms of the power in bands of the mel scale, `[32, 64]`, of samples `[n]` at 8 kHz.

    A frame is 16 ms. Silence at the ends is cut, and what is longer than a second. The loudest is
    1, what is 60 decibels below is 0.
    """
    loud = sound.abs() > 0.02 * sound.abs().max()
    first, last = (int(i) for i in loud.nonzero().flatten()[[0, -1]])
    cut = sound[first : last + 1][: FRAMES * HOP]
    cut = pad(cut, (0, FRAMES * HOP - len(cut)))
    waves = torch.stft(cut, WINDOW, HOP, window=torch.hann_window(WINDOW), return_complex=True)
    power = _bands() @ waves.abs().square()[:, :FRAMES]
    decibels = 10 * (power + 1e-10).log10()
    scaled: Tensor = ((decibels - decibels.max()) / 60 + 1).clamp_min(0)
    return scaled


def varied(sound: Tensor, draws: torch.Generator) -> Tensor:
    """Spoken up to 15 % faster or slower, from further away, in noise."""
    speed, gain, noise = torch.rand(3, generator=draws).tolist()
    length = round(len(sound) * (0.85 + 0.3 * speed))
    other = interpolate(sound[None, None], size=length, mode="linear")[0, 0]
    hiss = torch.randn(length, generator=draws) * float(other.std()) * 0.01 * noise
    said: Tensor = (other + hiss) * (0.3 + 0.7 * gain)
    return said


def _bands() -> Tensor:
    """Triangles on the mel scale (Stevens et al. 1937), `[32, 129]`."""
    top = 2595 * math.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, BANDS + 2) / 2595) - 1)
    at = torch.linspace(0, RATE / 2, WINDOW // 2 + 1)
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (at - low) / (mid - low), (high - at) / (high - mid)
    return torch.minimum(rising, falling).clamp_min(0)
