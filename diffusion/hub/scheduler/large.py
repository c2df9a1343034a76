r"""Ancestral steps as wide as the forward process: `variance_type` "fixed_large".

The variance of p(x_s | x_t) is the beta of the step, 1 - signal²/signal_s² where the path keeps
variance, instead of the posterior's (Ho et al. 2020, section 3.2: right for data ~ N(0, 1)).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ...base import Noise, Predict, Sampler
from ...noise.split import each
from ...rng import Rng
from ...sampler import Ancestral
from ...sampler.plan import refuse
from ...tree import State


class Large(Sampler):
    """`Ancestral` with the upper end of the range of variances: hat[1] = 1 of "range"."""

    def fits(self, noise: Noise[Any]) -> str | None:
        return refuse(self, noise)

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        def wide(z: State, y: State, t: Any) -> State:
            return each(_widest, predict(z, y, t))

        yield from Ancestral()(noise.vary(variance="range"), wide, z, y, times, rng)


def _widest(hat: Tensor) -> Tensor:
    return torch.cat([hat[:1], torch.ones_like(hat[:1])])
