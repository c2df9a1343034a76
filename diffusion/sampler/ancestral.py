"""Samplers that take one step of the model's own posterior for each network call."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from ..base import Noise, Predict, Sampler
from ..distribution.draw import draw
from ..errors import require
from ..noise.gaussian import Gaussian
from ..noise.joint import Joint
from ..noise.split import Split
from ..rng import Rng
from ..tree import State
from .plan import combine


class Ancestral(Sampler):
    """x_s ~ p(x_s | x_t) along the times: for every noise. Ho et al. 2020, algorithm 2."""

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        for t, s in pairwise(times):
            z, _ = draw(noise.step(z, t, s, predict(z, y, t)), rng)
            yield z


class DDIM(Sampler):
    """The same steps with `eta` of the posterior's noise: 0 is deterministic.

    Song et al. 2021, equation 12; on straight paths, Euler's method. For Gaussian noise, and the
    Gaussian parts of joint noise.
    """

    eta: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.eta <= 1, "DDIM.eta", "a number in [0, 1]", self.eta)

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
        quiet = self._quiet(noise)
        if self.eta > 0 or not isinstance(quiet, Gaussian):
            yield from Ancestral()(quiet, predict, z, y, times, rng)
            return
        for (t, s), (on_z, on_hat) in zip(pairwise(times), quiet.means(times), strict=True):
            hat = predict(z, y, t)
            if isinstance(hat, Split):
                z = quiet.step(z, t, s, hat).mu
            else:
                z = combine(on_z, z, (on_hat,), (hat[0],))
            yield z

    def _quiet(self, noise: Any) -> Any:
        """The noise with our share of the posterior's variance, which no network predicts."""
        if isinstance(noise, Joint):
            return noise.vary(parts={key: self._quiet(part) for key, part in noise.parts.items()})
        if isinstance(noise, Gaussian) or isinstance(getattr(noise, "inner", None), Gaussian):
            return noise.vary(eta=self.eta, variance="fixed")
        return noise.vary(eta=self.eta) if hasattr(noise, "eta") else noise
