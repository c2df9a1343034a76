"""Faulty losses, times, weights, and components of any kind."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from diffusion.base import Time
from diffusion.loss import Simple
from diffusion.time import Discrete, Importance
from diffusion.weight import MinSNR


class Vector(Simple):
    def compute(self, batch: Any) -> Tensor:
        return self.each(batch)


class Summed(Simple):
    def compute(self, batch: Any) -> Tensor:
        return self.each(batch).sum()


class Detached(Simple):
    def each(self, batch: Any) -> Tensor:
        return super().each(batch).detach()


class Maximised(Simple):
    def each(self, batch: Any) -> Tensor:
        return -super().each(batch)


class NotFinite(Simple):
    """1/(1 - t) of the first step."""

    def each(self, batch: Any) -> Tensor:
        return super().each(batch) / (batch.t - 1)


class ScalesHat(Simple):
    def each(self, batch: Any) -> Tensor:
        with torch.no_grad():
            batch.hat.mul_(0.5)
        return super().each(batch)


class StartsAtZero(Time):
    def sample(self, steps: int, size: int) -> Tensor:
        return torch.randint(0, steps, (size,))


class OneForAll(Time):
    def sample(self, steps: int, size: int) -> Tensor:
        return torch.randint(1, steps + 1, (1,)).expand(size)


class WrongType(Time):
    continuous: ClassVar[bool] = True

    def sample(self, steps: int, size: int) -> Tensor:
        return torch.randint(1, steps + 1, (size,))


class BiasedWeights(Importance):
    def weight(self, t: Tensor, steps: int) -> Tensor:
        return super().weight(t, steps) ** 0.5


class OwnGenerator(Discrete):
    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)

    def sample(self, steps: int, size: int) -> Tensor:
        return torch.randint(1, steps + 1, (size,), generator=self.generator)


class NegativeWeight(MinSNR):
    def __call__(self, snr: Tensor) -> Tensor:
        return super().__call__(snr) - 1


class Drifts(Time):
    """The constructor changes its own argument: every saving moves it."""

    low: float = 0.5
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.low = self.low / 2

    def sample(self, steps: int, size: int) -> Tensor:
        return 1 - torch.rand(size) * (1 - self.low)


class HoldsLock(Discrete):
    def __post_init__(self) -> None:
        import threading

        self.lock = threading.Lock()


FAULTS: list[tuple[Any, str]] = [
    (Vector(), "scalar"),
    (Summed(), "batch size"),
    (Detached(), "gradient"),
    (Maximised(), "a perfect network is best"),
    (NotFinite(), "finite at every time"),
    (ScalesHat(), "batch kept"),
    (StartsAtZero(), "range"),
    (OneForAll(), "covers"),
    (WrongType(), "type"),
    (BiasedWeights(10), "weights are unbiased"),
    (OwnGenerator(), "torch's generator"),
    (NegativeWeight(), "values"),
    (Drifts(), "config round trip"),
    (HoldsLock(), "pickling"),
]
