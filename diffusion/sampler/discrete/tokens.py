r"""What the samplers of categorical noise share: forms of a state, and q(z | x) of one token.

    q(z | x) = kappa·[x = z] + (1 - kappa)·pi(z)

A network answers p(x | z), the posterior of a token given the whole state. Without what the token
itself says it is the token's law given all others,

    l(x) ∝ p(x | z) / q(z | x)

which stays as it is when time passes or the token jumps, as long as the others do not.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ...base import Predict, Sampler
from ...distribution import Categorical
from ...noise.categorical import Redraw
from ...noise.fixed import Fixed
from ...noise.redraw import Absorbing
from ...noise.structured import Structured
from ...rng import Rng
from ...tree import State


class Leap(Sampler):
    """Base of those that draw every token from a law of its own, with one call a step."""

    @abstractmethod
    def law(self, noise: Any, z: Tensor, t: Any, s: Any, hat: Tensor) -> Categorical:
        """Of the tokens at `s`, given ids `z` `[b, ...]` at `t`."""

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        for t, s in pairwise(times):
            found, _ = self.law(noise, ids(z), t, s, predict(z, y, t)).sample(rng)
            z = state(noise, found, z, s, rng)
            yield z


def ids(z: Tensor) -> Tensor:
    """Class ids `[b, ...]` of a state of ids or one-hot vectors."""
    return z.argmax(-1) if z.is_floating_point() else z


def state(noise: Any, found: Tensor, like: Tensor, s: Any, rng: Rng) -> Tensor:
    """The ids `found` in the form of `like`, with the positions that are known at `s` in place."""
    z = found
    if like.is_floating_point():
        z = torch.nn.functional.one_hot(found, noise.classes).to(like.dtype)
    return noise.keep(z, s, rng) if isinstance(noise, Fixed) else z


def likelihood(noise: Any, log_p: Tensor, z: Tensor, t: Any) -> Tensor:
    """log q(z | x) for every x, `[b, ..., K]`, up to a constant; `z` are ids, t a host number.

    Where pi(z) = 0, x is known to be z, and this is 0 throughout: nothing more is learned.
    """
    kappa = noise.clock.kappa(t)
    pi = redraw_law(noise, log_p)[z].unsqueeze(-1)
    kept = (kappa / ((1 - kappa) * pi)).log1p() if kappa < 1 else torch.full_like(pi, math.inf)
    kept = torch.where(pi > 0, kept, 0.0)
    return torch.zeros_like(log_p).scatter(-1, z.unsqueeze(-1), kept)


def redraw_law(noise: Any, like: Tensor) -> Tensor:
    """pi `[K]` in the dtype, and on the device, of `like`."""
    pi: Tensor = noise.law().to(like.device, like.dtype)
    return pi


def rank_one(sampler: Any, noise: Any) -> str | None:
    """Why a sampler that needs `Uniform`, `Absorbing` or `Mixed` noise does not fit, or None."""
    if isinstance(noise, Redraw) and not isinstance(noise, Structured):
        return None
    return (
        f"{type(sampler).__name__} needs the rates of noise that keeps a token or redraws it, "
        f"which {type(noise).__name__} has not. Use noise.Uniform, noise.Absorbing or noise.Mixed, "
        "or sampler=Ancestral()."
    )


def masks(sampler: Any, noise: Any) -> str | None:
    """Why a sampler that unmasks does not fit, or None."""
    if isinstance(noise, Absorbing):
        return None
    return (
        f"{type(sampler).__name__} unmasks tokens, and {type(noise).__name__} has no mask. Use "
        "noise.Absorbing(k), or sampler=Ancestral()."
    )
