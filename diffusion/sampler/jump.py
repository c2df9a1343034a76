r"""Samplers of networks that were trained to take large steps.

| network | a step from t to s, with epsilon fresh | source |
|---|---|---|
| mean flow u(z, t, s) | z_s = z - (t - s)·u | Geng et al. 2025, algorithm 2 |
| consistency f(z, t) | z_s = signal_s·f + sigma_s·epsilon | Song et al. 2023, algorithm 1 |
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..base import Noise, Predict, Sampler
from ..distribution.draw import draw
from ..errors import InputError
from ..noise.fixed import Fixed
from ..noise.gaussian import Gaussian
from ..rng import Rng
from ..tree import State

REFUSED = (
    "Jump asks for an average velocity, at times [b, 2] = (t, s), and got none. Guidance that "
    "reads x, scores or times can't guide it: use ClassifierFree, Auto or Compose, or "
    "sampler=Adams(). A network must know two times: net.Span."
)


class Jump(Sampler):
    """Follow the mean flow, for networks trained with `loss.MeanFlow`.

    The network is asked at times `[b, 2]` = (t, s). Its noise must be `Gaussian("velocity")`.
    """

    maps: ClassVar[bool] = True
    """Whether it asks the network for the end of a step, not for the mean of the data."""

    def fits(self, noise: Noise[Any]) -> str | None:
        if isinstance(noise, Gaussian) and noise.parameter == "velocity":
            return None
        return (
            f'Jump steps by an average velocity: noise.Gaussian("velocity"), not {noise!r}, with '
            "loss.MeanFlow and net.Span. Elsewhere use sampler=Adams()."
        )

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        for t, s in pairwise(times):
            continuous = isinstance(t, float)
            kind = torch.promote_types(z.dtype, torch.float32) if continuous else torch.long
            span = torch.tensor([t, s], dtype=kind, device=z.device).expand(len(z), 2)
            width = t - s if continuous else (t - s) / noise.clock.steps
            z = torch.add(z, self._asked(predict, z, y, span), alpha=-width)
            if isinstance(noise, Fixed):
                z = noise.keep(z, s, rng)
            yield z

    def _asked(self, predict: Predict, z: Tensor, y: State, span: Tensor) -> Tensor:
        """The average velocity. Guidance may change it, but not read x from it at one time."""
        try:
            hat: Any = predict(z, y, span)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, IndexError, TypeError) as error:
            raise InputError(f"{REFUSED} ({error})") from error
        if not isinstance(hat, Tensor) or hat.shape[1:] != z.shape:
            raise InputError(REFUSED)
        return hat[0]


class Consistency(Sampler):
    """Predict the data, noise them again, less: for `loss.Consistency` and `distil.Match`.

    One step is the network's answer to pure noise. The draws at the levels between are fresh, so
    that each step can repair what the last one missed.
    """

    maps: ClassVar[bool] = True

    def fits(self, noise: Noise[Any]) -> str | None:
        if isinstance(noise, Gaussian):
            return None
        return f"Consistency is for noise.Gaussian, not {noise!r}. Use sampler=Ancestral()."

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        for t, s in pairwise(times):
            x = noise.predict(z, t, predict(z, y, t))
            z, _ = draw(noise.prior(x, s), rng)
            if isinstance(noise, Fixed):
                z = noise.keep(z, s, rng)
            yield z
