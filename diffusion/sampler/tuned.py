"""Samplers with noise levels that were found for one model; see `diffusion.sampling.tune`."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ..base import Grid, Noise, Predict, Sampler
from ..errors import require
from ..grid import Points
from ..rng import Rng
from ..tree import State


class Tuned(Sampler):
    """For each of some numbers of steps a sampler and its noise levels; others use the nearest.

    Args:
        samplers: one for each number of steps. ratios: sigma/signal at the times of each, without
            the data at the end: as many as there are steps.
        errors: of each, relative to the model's own fine trajectory, as it was measured.
    """

    samplers: Sequence[Any]
    ratios: Sequence[Sequence[float]]
    errors: Sequence[float] = ()

    def __post_init__(self) -> None:
        self.samplers, self.errors = tuple(self.samplers), tuple(self.errors)
        self.ratios = tuple(tuple(levels) for levels in self.ratios)
        fits = 0 < len(self.samplers) == len(self.ratios)
        require(fits, "Tuned.ratios", f"{len(self.samplers)} lists", len(self.ratios))

    def fits(self, noise: Noise[Any]) -> str | None:
        reasons = (one.fits(noise) for one in self.samplers)
        return next((reason for reason in reasons if reason is not None), None)

    def grid(self, steps: int) -> Grid | None:
        return Points(steps, self.ratios[self._nearest(steps)])

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        one: Sampler = self.samplers[self._nearest(len(times) - 1)]
        return one(noise, predict, z, y, times, rng)

    def joined(self, other: Sampler) -> "Tuned":
        """With what `other` knows of further numbers of steps."""
        if not isinstance(other, Tuned):
            return self
        own = {len(levels) for levels in self.ratios}
        more = [i for i, levels in enumerate(other.ratios) if len(levels) not in own]
        return Tuned(
            (*self.samplers, *(other.samplers[i] for i in more)),
            (*self.ratios, *(other.ratios[i] for i in more)),
            (*self.errors, *(other.errors[i] for i in more)),
        )

    def _nearest(self, steps: int) -> int:
        gaps = [abs(math.log(len(levels) / steps)) for levels in self.ratios]
        return gaps.index(min(gaps))
