"""Sampling any distribution, a user's included, from given generators."""

import functools
import inspect
from typing import Any

import torch
from torch import Generator

from ..base import Distribution
from ..rng import Rng, scope
from ..tree import State


@functools.cache
def _takes_rng(cls: type) -> bool:
    return "rng" in inspect.signature(cls.sample).parameters  # type: ignore[attr-defined]


def draw(distribution: Distribution, rng: Rng) -> tuple[State, State]:
    """`distribution.sample()`, drawn from `rng` whether or not its author thought of generators.

    A `sample` that takes no `rng` draws from the global generator, which is seeded from `rng` for
    the call and put back after it; its draws then depend on the batch.
    """
    if _takes_rng(type(distribution)):
        sample: Any = distribution.sample
        result: tuple[State, State] = sample(rng)
        return result
    if rng is None:
        return distribution.sample()
    source = rng if isinstance(rng, Generator) else rng[0]
    seed = int(torch.randint(2**62, (), generator=source))
    value = next((v for v in vars(distribution).values() if isinstance(v, torch.Tensor)), None)
    with scope(seed, "cpu" if value is None else value.device):
        return distribution.sample()
