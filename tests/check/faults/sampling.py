"""Faulty guidances, samplers and grids."""

from itertools import pairwise
from typing import Any

import torch

from diffusion.base import Guidance, Sampler
from diffusion.distribution import Normal as Library
from diffusion.distribution.draw import draw
from diffusion.grid import Uniform
from diffusion.guidance import ClassifierFree
from diffusion.sampler import Ancestral


class ErasesLabels(ClassifierFree):
    """The predecessor's fault: the data set's own labels are overwritten."""

    def corrupt(self, batch: Any) -> None:
        batch.y[torch.rand(len(batch.y)) < self.dropout] = 0


class WholeBatch(ClassifierFree):
    """All labels of a batch are dropped together."""

    def corrupt(self, batch: Any) -> None:
        if torch.rand(()) < self.dropout:
            batch.y = torch.zeros_like(batch.y)


class WeightsOff(ClassifierFree):
    """s·conditional - (1 - s)·null: not the plain prediction at s = 0."""

    def __call__(self, predict: Any, noise: Any) -> Any:
        def guided(z: Any, y: Any, t: Any) -> Any:
            s = self.strength
            return s * predict(z, y, t) - (1 - s) * predict(z, torch.zeros_like(y), t)

        return guided


class Remembers(Guidance):
    """Momentum kept in the module."""

    def __call__(self, predict: Any, noise: Any) -> Any:
        self.last: Any = None

        def guided(z: Any, y: Any, t: Any) -> Any:
            hat = predict(z, y, t)
            self.last = hat if self.last is None else 0.5 * self.last + hat
            return self.last

        return guided


class RescalesBatch(Guidance):
    def __call__(self, predict: Any, noise: Any) -> Any:
        def guided(z: Any, y: Any, t: Any) -> Any:
            hat = predict(z, y, t)
            return hat / hat.std()

        return guided


class SkipsLast(Ancestral):
    def __call__(self, noise: Any, predict: Any, z: Any, y: Any, times: Any, rng: Any) -> Any:
        yield from super().__call__(noise, predict, z, y, times[:-1], rng)


class LateTime(Sampler):
    """The network is asked about the time z is going to."""

    def __call__(self, noise: Any, predict: Any, z: Any, y: Any, times: Any, rng: Any) -> Any:
        for t, s in pairwise(times):
            z, _ = draw(noise.step(z, t, s, predict(z, y, max(s, 1))), rng)
            yield z


class KeepsHistory(Sampler):
    """Averages with the last answer, which it keeps in itself."""

    def __call__(self, noise: Any, predict: Any, z: Any, y: Any, times: Any, rng: Any) -> Any:
        self.last = predict(z, y, times[0])
        for t, s in pairwise(times):
            hat = predict(z, y, t)
            self.last = (0.9 * hat + 0.1 * self.last) if s else hat
            z, _ = draw(noise.step(z, t, s, self.last), rng)
            yield z


class GlobalNoise(Sampler):
    """Draws without the generators it was given."""

    def __call__(self, noise: Any, predict: Any, z: Any, y: Any, times: Any, rng: Any) -> Any:
        for t, s in pairwise(times):
            z, _ = noise.step(z, t, s, predict(z, y, t)).sample()
            yield z


class InPlace(Sampler):
    def __call__(self, noise: Any, predict: Any, z: Any, y: Any, times: Any, rng: Any) -> Any:
        for t, s in pairwise(times):
            z.copy_(draw(noise.step(z, t, s, predict(z, y, t)), rng)[0])
            yield z


class Eager(Ancestral):
    def __call__(self, noise: Any, predict: Any, z: Any, y: Any, times: Any, rng: Any) -> Any:
        yield from list(super().__call__(noise, predict, z, y, times, rng))


class TooNoisy(Sampler):
    """Adds noise on top of every step but the last."""

    def __call__(self, noise: Any, predict: Any, z: Any, y: Any, times: Any, rng: Any) -> Any:
        for t, s in pairwise(times):
            law = noise.step(z, t, s, predict(z, y, t))
            z, _ = draw(Library(law.mu, 2.0 * law.sigma), rng)
            yield z


class Short(Uniform):
    """Counts times where it should count steps."""

    def times(self, clock: Any, continuous: bool) -> list[Any]:
        return super().times(clock, continuous)[1:]


class StopsEarly(Uniform):
    """Ends one step above the data."""

    def times(self, clock: Any, continuous: bool) -> list[Any]:
        *rest, _ = super().times(clock, continuous)
        return [*rest, rest[-1] / 2 if continuous else 1]


class Whole(Uniform):
    """Gives integers as floats."""

    def times(self, clock: Any, continuous: bool) -> list[Any]:
        return [float(t) for t in super().times(clock, continuous)]


class Wanders(Uniform):
    """Gives other times at every call."""

    def times(self, clock: Any, continuous: bool) -> list[Any]:
        self.calls = getattr(self, "calls", 0) + 1
        first, *rest = super().times(clock, continuous)
        return [first - 1e-3 * self.calls if continuous else first, *rest]


FAULTS: list[tuple[Any, str]] = [
    (ErasesLabels(0.3), "labels kept"),
    (WholeBatch(0.3), "corrupt"),
    (WeightsOff(), "strength 0"),
    (Remembers(), "runs do not interfere"),
    (RescalesBatch(), "each sample alone"),
    (SkipsLast(), "one state for each step"),
    (LateTime(), "ends at the data"),
    (KeepsHistory(), "runs do not interfere"),
    (GlobalNoise(), "seeds"),
    (InPlace(), "start kept"),
    (Eager(), "lazy"),
    (TooNoisy(), "law of the data"),
    (Short(8), "number of steps"),
    (StopsEarly(8), "falls to 0"),
    (Whole(8), "type"),
    (Wanders(8), "repeatable"),
]
