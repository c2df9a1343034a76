"""Samplers that take one step of the model's own posterior for each network call."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from ..base import Noise, Predict, Sampler
from ..distribution.draw import draw
from ..noise.gaussian import Gaussian
from ..noise.joint import Joint
from ..rng import Rng
from ..tree import State
from .adams import Adams
from .settings import within


class Ancestral(Sampler):
    """x_s ~ p(x_s | x_t) along the times: for every noise. Ho et al. 2020, algorithm 2."""

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        for t, s in pairwise(times):
            z, _ = draw(noise.step(z, t, s, predict(z, y, t)), rng)
            yield z


ORDER_ONE = Adams(order=1, corrector=0)


class DDIM(Sampler):
    """The same steps with `eta` of the posterior's noise: 0 is deterministic.

    Song et al. 2021, equation 12; on straight paths, Euler's method: without noise it is `Adams` of
    order 1. For Gaussian noise, and the Gaussian parts of joint noise.
    """

    eta: float = 0.0

    def __post_init__(self) -> None:
        within("DDIM.eta", self.eta, 0, 1)

    def fits(self, noise: Noise[Any]) -> str | None:
        parts = noise.parts.values() if isinstance(noise, Joint) else (noise,)
        if any(isinstance(part, Gaussian) for part in parts):
            return None
        return (
            f"DDIM changes the variance of a library Gaussian's steps, and {type(noise).__name__} "
            "has none. Use sampler=Ancestral()."
        )

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        one = ORDER_ONE if self.eta == 0 else Ancestral()
        return one(self._quiet(noise), predict, z, y, times, rng)

    def _quiet(self, noise: Any) -> Any:
        """The noise with our share of the posterior's variance, which no network predicts."""
        if isinstance(noise, Joint):
            return noise.vary(parts={key: self._quiet(part) for key, part in noise.parts.items()})
        if isinstance(noise, Gaussian) or isinstance(getattr(noise, "inner", None), Gaussian):
            return noise.vary(eta=self.eta, variance="fixed") if self.eta else noise
        return noise.vary(eta=self.eta) if hasattr(noise, "eta") else noise
