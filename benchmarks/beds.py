"""Five mixtures with known denoisers, on straight paths, and where their ODE ends."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion import noise, schedule
from diffusion.base import Predict, Sampler
from diffusion.exact import Mixture
from diffusion.exact import beds as mixtures
from diffusion.sampler import RK4

START = 80 / 81
"""Where sampling starts: sigma/signal = 80, as in Karras et al. 2022."""
PROCESS = noise.Gaussian("velocity").bind(schedule.Flow(1000))
SIZE = 128


@dataclass
class Bed:
    """A mixture, the error added to its denoiser, and starts with their exact ends.

    The error is white: 0 or `level` times min(1, sigma/signal), drawn anew at every call.
    """

    mixture: Mixture
    level: float
    starts: list[Tensor]
    ends: list[Tensor]

    def denoise(self, z: Tensor, t: float) -> Tensor:
        """x, as the imperfect network says it."""
        x = self.mixture.denoise(z, 1 - t, t)
        if self.level == 0:
            return x
        drawn = torch.randn(x.shape, dtype=x.dtype, generator=self.chance)
        return x + self.level * min(1.0, t / (1 - t)) * drawn

    def predict(self) -> Predict:
        """The same as a velocity, (z - x)/t."""
        return lambda z, y, t: ((z - self.denoise(z, t)) / t).unsqueeze(0)

    def error(self, ends: Tensor, index: int) -> float:
        """Root mean square of the difference to the exact ends, all coordinates alike."""
        return float((ends - self.ends[index]).square().mean().sqrt())

    def reseed(self) -> None:
        """The same errors of the network again."""
        self.chance = torch.Generator().manual_seed(0)


def beds(level: float = 0.0) -> dict[str, Bed]:
    """The beds by name, each with starts from two seeds: one to choose by, one to report."""
    return {name: _bed(mixture, level) for name, mixture in mixtures().items()}


def run(bed: Bed, one: Sampler, times: list[float], index: int) -> float:
    """The error of one of our samplers."""
    PROCESS.prepare(times)
    bed.reseed()
    y = torch.zeros(SIZE, dtype=torch.long)
    *_, end = one(PROCESS, bed.predict(), bed.starts[index], y, times, None)
    return bed.error(end, index)


def _bed(mixture: Mixture, level: float) -> Bed:
    starts, ends = [], []
    for seed in (0, 1):
        draws = torch.Generator().manual_seed(seed)
        z = torch.randn(SIZE, *mixture.shape, dtype=torch.float64, generator=draws)
        z = z * math.hypot(1 - START, START)
        starts.append(z)
        if mixture.shape == (1,):
            ends.append(mixture.flow(z, (1 - START, START)))
        else:
            ends.append(_fine(mixture, z))
    return Bed(mixture, level, starts, ends)


def _fine(mixture: Mixture, z: Tensor, steps: int = 400) -> Tensor:
    """The end of a classical method of order 4: at twice the steps it moves by less than 1e-6."""
    times = [START * (1 - i / steps) ** 2 for i in range(steps)] + [0.0]
    *_, end = RK4()(PROCESS, mixture.oracle(PROCESS), z, torch.zeros(SIZE).long(), times, None)
    return end
