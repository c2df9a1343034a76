"""Small laws of token sequences, and how samples of them are counted."""

import math
from typing import Any

import torch
from torch import Tensor

from diffusion import rng
from diffusion.base import Sampler
from diffusion.exact import Enumerated
from diffusion.noise import Absorbing, Mixed, Uniform

NOISES: dict[str, Any] = {
    "uniform": Uniform(3),
    "absorbing": Absorbing(3),
    "mixed": Mixed(torch.tensor([0.2, 0.5, 0.3])),
    "masked": Mixed(torch.tensor([0.2, 0.0, 0.8])),
}


def bed(length: int, noise: Any, floor: float = 0.0) -> Enumerated:
    """Strongly dependent tokens, or, with a floor, weakly dependent ones; the mask never occurs."""
    p = torch.rand((noise.classes,) * length, generator=torch.Generator().manual_seed(length))
    p = (p**4 if floor == 0 else p) + floor
    if isinstance(noise, Absorbing):
        for axis in range(length):
            p.select(axis, noise.mask).zero_()
    return Enumerated(p)


def times(steps: int) -> list[float]:
    return [1 - i / steps for i in range(steps)] + [0.0]


def slope(errors: list[float]) -> float:
    """The order of convergence, from the errors at n and 2n steps."""
    return math.log2(errors[-2] / errors[-1])


def counted(law: Enumerated, noise: Any, sampler: Sampler, steps: int, size: int) -> Tensor:
    """The table of relative frequencies of `size` samples, by the exact network."""
    draws, length, oracle = rng.generator(0), law.p.dim(), law.oracle(noise)
    place = law.classes ** torch.arange(length - 1, -1, -1)

    def predict(z: Tensor, y: Any, t: Any) -> Tensor:
        return oracle(law.sequences, y, t)[:, (z * place).sum(1)]  # each state once

    z = noise.stationary((size, length)).sample(draws)[0]
    *_, z = sampler(noise, predict, z, None, times(steps), draws)
    counts = torch.bincount((z * place).sum(1), minlength=law.p.numel())
    return (counts / size).reshape(law.p.shape).double()


def chance(law: Tensor, size: int) -> float:
    """A bound on the total variation between a law and the frequencies of its samples.

    A frequency deviates by sqrt(2p(1-p)/(pi·n)) in the mean, and half the sum of that is the
    distance expected. One sample moves it by 1/n at most, so it exceeds the mean by 3/sqrt(n)
    with a probability below e^-18 (McDiarmid's inequality).
    """
    mean = 0.5 * float((2 * law * (1 - law) / (math.pi * size)).sqrt().sum())
    return mean + 3 / math.sqrt(size)
