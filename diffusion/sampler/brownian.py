r"""One Brownian path for each sample, whatever the steps that look at it.

A Brownian motion B(q), q >= 0, is a bridge on a bounded interval: B(q) = (1 + q)·b(q/(1 + q)),
b(0) = b(1) = 0. The bridge is known at any time by halving: between known values, b(m) is their
linear interpolation plus sqrt((m - l)(h - m)/(h - l))·xi, with xi a function of the sample's seed
and of the place of m in the tree of halvings (Levy's construction; as a tree of seeds, Li et al.
2020, algorithm 3). The tree halves r/(1 + r), r = sigma/signal.
"""

import math

import numpy as np
import torch
from torch import Generator, Tensor

from .. import rng as random
from ..rng import Rng

DEPTH = 24


class Brownian:
    """Increments of phi·B at q = r^(-2·eta²), for states like `like`; local to one sampling.

    One generator is for all samples together; of several, each is for its own.
    """

    def __init__(self, like: Tensor, rng: Rng, eta: float) -> None:
        self._like, self._power = like, 2 * eta**2
        each = [rng] if rng is None or isinstance(rng, Generator) else rng
        self._seeds = np.array([int(torch.randint(2**62, (), generator=one)) for one in each])
        self._nodes: dict[int, tuple[int, Tensor]] = {}

    def add(self, z: Tensor, phi: float, start: float, end: float) -> Tensor:
        """z + phi·(B(end) - B(start)), from and to values of r."""
        grown = self._motion(end, phi)
        return z + grown - self._motion(start, phi) if start < math.inf else z + grown

    def _motion(self, ratio: float, phi: float) -> Tensor:
        """phi·B at a value of r."""
        scale: float = phi * (1 + ratio**-self._power)
        return self._bridge(1 / (1 + ratio)) * scale

    def _bridge(self, at: float) -> Tensor:
        """b where 1/(1 + r) = `at`, down the tree."""
        low, high, place = 0.0, 1.0, 1
        left = right = torch.zeros_like(self._like)
        for level in range(DEPTH):
            middle = (low + high) / 2
            known = self._nodes.get(level)
            if known is None or known[0] != place:
                known = place, self._between(left, right, (low, middle, high), place)
                self._nodes[level] = known
            if at == middle:
                return known[1]
            if at < middle:
                high, right, place = middle, known[1], 2 * place
            else:
                low, left, place = middle, known[1], 2 * place + 1
        return self._between(left, right, (low, at, high), place)

    def _between(
        self, left: Tensor, right: Tensor, where: tuple[float, float, float], place: int
    ) -> Tensor:
        """The bridge at the second of three places, given its values at the others."""
        (low, low_left), (at, at_left), (high, high_left) = (self._clock(s) for s in where)
        # Differences near 1 are taken from what is left of 1.
        below = at - low if at < 0.5 else low_left - at_left
        above = high - at if at < 0.5 else at_left - high_left
        whole = below + above
        xi = random.seeded(self._like, self._seeds, place)
        mean = torch.lerp(left, right, below / whole)
        return mean.add_(xi, alpha=math.sqrt(below * above / whole))

    def _clock(self, s: float) -> tuple[float, float]:
        """q/(1 + q) where 1/(1 + r) = s, and 1 minus it."""
        if s in (0.0, 1.0):
            return s, 1 - s
        grown = ((1 - s) / s) ** self._power
        return 1 / (1 + grown), grown / (1 + grown)
