"""Modules with one planted fault each, and the name of the exam that must find it.

Each derives from a sound module, so that nothing but the fault is wrong.
"""

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from diffusion.base import Data, Guidance, Net, Sampler, Schedule, Time
from diffusion.data import Embedding, Identity, Images
from diffusion.distribution import Normal as Library
from diffusion.distribution.draw import draw
from diffusion.guidance import ClassifierFree
from diffusion.loss import Simple
from diffusion.net import MLP
from diffusion.noise import Gaussian as LibraryGaussian
from diffusion.noise import Uniform
from diffusion.sampler import Ancestral
from diffusion.schedule import Linear
from diffusion.time import Discrete, Importance
from diffusion.weight import MinSNR

from ..tutorial import Gaussian, Normal, Perceptron


def column(t: Tensor, x: Tensor) -> Tensor:
    return t.view(-1, *(1,) * (x.dim() - 1))


# Noise


class TypoPrior(Gaussian):
    """The tutorial's prose: the root of alpha_t instead of alpha-bar_t."""

    def prior(self, x: Tensor, t: Tensor) -> Normal:
        t = column(t, x)
        return Normal(self.alpha[t].sqrt() * x, (1 - self.alpha[t]).sqrt())


class OffByOne(Gaussian):
    """alpha-bar_t where alpha-bar_{t-1} belongs."""

    def posterior(self, x: Tensor, z: Tensor, t: Tensor) -> Normal:
        t = column(t, x)
        mu = self.alpha[t].sqrt() * (1 - self.delta[t]) * z
        mu = mu + self.delta[t].sqrt() * (1 - self.alpha[t]) * x
        return Normal(mu / (1 - self.delta[t]), self._sigma(t))


class VarianceAsDeviation(Gaussian):
    """A forgotten root in the posterior's scale."""

    def _sigma(self, t: Tensor) -> Tensor:
        return super()._sigma(t) ** 2


class ResidualNoise(Gaussian):
    """Some noise is left at t = 0, as in the predecessor."""

    def schedule(self, alpha: Tensor) -> None:
        super().schedule(alpha)
        self.delta = self.delta * 0.99


class WrongMean(Gaussian):
    """approximate divides by the wrong root."""

    def approximate(self, z: Tensor, t: Tensor, hat: Tensor) -> Normal:
        t = column(t, z)
        mu = z - (1 - self.alpha[t]) / (1 - self.delta[t]) * hat[0]
        return Normal(mu / self.alpha[t].sqrt(), self._sigma(t))


class WrongStationary(Gaussian):
    def stationary(self, shape: tuple[int, ...]) -> Normal:
        return Normal(torch.zeros(shape), 2 * torch.ones(shape))


class Flattened(Gaussian):
    """t is not reshaped, so that it broadcasts against the last axis."""

    def prior(self, x: Tensor, t: Tensor) -> Normal:
        return Normal(
            self.delta[t[0]].sqrt() * x, (1 - self.delta[t[0]]).sqrt() * torch.ones_like(x)
        )


class SharedTable(Gaussian):
    """schedule writes into a table that all copies share."""

    def __post_init__(self) -> None:
        self.tables: dict[str, Tensor] = {}

    def schedule(self, alpha: Tensor) -> None:
        self.tables["alpha"] = alpha
        self.tables["delta"] = alpha.cumprod(0)

    @property
    def alpha(self) -> Tensor:
        return self.tables["alpha"]

    @property
    def delta(self) -> Tensor:
        return self.tables["delta"]


class ChangesState(Gaussian):
    def prior(self, x: Tensor, t: Tensor) -> Normal:
        t = column(t, x)
        return Normal(x.mul_(self.delta[t].sqrt()), (1 - self.delta[t]).sqrt())


class OwnDevice(Gaussian):
    """A tensor that is on the CPU wherever x is."""

    def prior(self, x: Tensor, t: Tensor) -> Normal:
        law = super().prior(x, t)
        return Normal(law.mu + torch.zeros(2), law.sigma)


class WideBridge(LibraryGaussian):
    """The bridge's variance misses a factor; posterior and marginals follow it."""

    def _weights(self, t: Any, s: Any) -> tuple[Any, Any, Any]:
        on_x, on_z, deviation = super()._weights(t, s)
        return on_x, on_z, 1.2 * deviation


class NotMarkov(LibraryGaussian):
    """Half the posterior's noise: the marginals are right, and the steps do not compose."""

    def _weights(self, t: Any, s: Any) -> tuple[Any, Any, Any]:
        return LibraryGaussian._weights(self.vary(eta=0.5), t, s)


class DirtyBind(LibraryGaussian):
    def bind(self, *args: Any, **kwargs: Any) -> "DirtyBind":
        other = super().bind(*args, **kwargs)
        self.__dict__["_clock"] = other.clock
        return self


class BiasedUniform(Uniform):
    """q(x_s | x_t, x_0) forgets how likely z was to stay."""

    def soft_bridge(self, log_x: Tensor, z: Tensor, t: Any, s: Any) -> Tensor:
        logits = super().soft_bridge(log_x, z, t, s)
        return logits + 0.5 * torch.nn.functional.one_hot(z, self.k)


# Distributions


class MissingConstant(Normal):
    def nll(self, x: Tensor) -> Tensor:
        return 0.5 * ((x - self.mu) / self.sigma) ** 2 + self.sigma.log()


class VarianceInSample(Normal):
    def sample(self) -> tuple[Tensor, Tensor]:
        epsilon = torch.randn_like(self.mu)
        return self.mu + self.sigma**2 * epsilon, epsilon


class ReversedDkl(Normal):
    def dkl(self, other: Normal) -> Tensor:
        return Normal.dkl(other, self)


class SummedNll(Normal):
    def nll(self, x: Tensor) -> Tensor:
        return Normal.nll(self, x).sum(-1)


class NumpyDraws(Normal):
    def sample(self) -> tuple[Tensor, Tensor]:
        epsilon = torch.from_numpy(np.random.randn(*self.mu.shape)).to(self.mu)
        return self.mu + self.sigma * epsilon, epsilon


# Schedules


class Rising(Schedule):
    def compute(self) -> Tensor:
        return torch.linspace(0.999, 1.01, self.steps + 1)


class Short(Linear):
    def compute(self) -> Tensor:
        return super().compute()[1:]


class Cumulative(Linear):
    """alpha-bar instead of alpha: still falls, but the two tell of different processes."""

    def compute(self) -> Tensor:
        return super().compute().cumprod(0)

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return Linear(self.steps, self.start, self.end).scales(u)


class FixedLength(Linear):
    def compute(self) -> Tensor:
        return torch.linspace(self.start, self.end, 101)


class RandomSchedule(Linear):
    def compute(self) -> Tensor:
        return super().compute() - 0.001 * torch.rand(())


# Data


class NoInverse(Images):
    def decode(self, x: Tensor) -> Tensor:
        return super().decode(x - self.bins)


class BatchStatistics(Data):
    def encode(self, w: Tensor) -> Tensor:
        return w - w.mean(0)

    def decode(self, x: Tensor) -> Tensor:
        return x


class HiddenNetworks(Data):
    k: int = 5

    def __post_init__(self) -> None:
        self.layers = [nn.Embedding(self.k, 8)]

    def encode(self, w: Tensor) -> Tensor:
        return self.layers[0](w)

    def decode(self, x: Tensor) -> Tensor:
        return torch.cdist(x, self.layers[0].weight).argmin(-1)


class NeverTrains(Embedding):
    def encode(self, w: Tensor) -> Tensor:
        return super().encode(w).detach()


class EncodesInPlace(Identity):
    def encode(self, w: Tensor) -> Tensor:
        return w.mul_(0.5)

    def decode(self, x: Tensor) -> Tensor:
        return x * 2


# Networks


class NoAxis(Perceptron):
    def __init__(self, size: int) -> None:
        super().__init__(size)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return super().forward(x, y, t)[0]


class MixesBatch(Perceptron):
    def __init__(self, size: int) -> None:
        super().__init__(size)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return super().forward(x - x.mean(0), y, t)


class WritesInput(Perceptron):
    def __init__(self, size: int) -> None:
        super().__init__(size)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return super().forward(x.clamp_(-1, 1), y, t)


class UnusedLayer(Perceptron):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.spare = nn.Linear(size, size)


class AlwaysDrops(Perceptron):
    def __init__(self, size: int) -> None:
        super().__init__(size)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(x, y, t), 0.5)


class LooseTensor(Net):
    """A weight that is neither parameter nor buffer, so that it is not saved."""

    def __init__(self, size: int) -> None:
        self.layer = nn.Linear(size, size)
        self.scale = torch.randn(size)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return (self.layer(x) * self.scale)[None]


class DeafToLabels(MLP):
    def __init__(self, size: int, labels: int) -> None:
        super().__init__(size, labels)

    def forward(self, x: Tensor, y: Tensor | None, t: Tensor) -> Tensor:
        return super().forward(x, torch.zeros_like(y), t) + 0 * self.embed.label.weight.sum()


# Losses


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


# Guidance


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


# Times


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


# Samplers


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


# Other components


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


def law(cls: type[Normal]) -> Normal:
    """Four by three elements with different parameters."""
    generator = torch.Generator().manual_seed(0)
    mu = torch.randn(4, 3, generator=generator)
    return cls(mu, torch.rand(4, 3, generator=generator) + 0.4)


FAULTS: list[tuple[Any, str]] = [
    (TypoPrior(), "stationary"),
    (TypoPrior(), "posterior fits prior"),
    (OffByOne(), "posterior fits prior"),
    (VarianceAsDeviation(), "posterior fits prior"),
    (ResidualNoise(), "t = 0 is the data"),
    (WrongMean(), "a perfect network"),
    (WrongStationary(), "stationary"),
    (Flattened(), "each sample alone"),
    (SharedTable(), "copies are independent"),
    (ChangesState(), "inputs kept"),
    (OwnDevice(), "device"),
    (WideBridge("epsilon"), "bridge fits prior"),
    (NotMarkov("epsilon"), "bridges compose"),
    (DirtyBind(), "the original stays unbound"),
    (BiasedUniform(5), "posterior fits prior"),
    (law(MissingConstant), "nll is normalised"),
    (law(VarianceInSample), "samples follow nll"),
    (law(ReversedDkl), "dkl"),
    (law(SummedNll), "nll by element"),
    (law(NumpyDraws), "torch's generator"),
    (Rising(100), "monotone"),
    (Short(100), "length"),
    (Cumulative(100), "compute and scales agree"),
    (FixedLength(100), "steps"),
    (RandomSchedule(100), "determined"),
    (NoInverse(), "decode undoes encode"),
    (BatchStatistics(), "each item alone"),
    (HiddenNetworks(), "networks are found"),
    (NeverTrains(k=5, d=8), "networks train"),
    (EncodesInPlace(torch.randn(4, 3)), "inputs kept"),
    (NoAxis(4), "output"),
    (MixesBatch(4), "each sample alone"),
    (WritesInput(4), "inputs kept"),
    (UnusedLayer(4), "gradients"),
    (AlwaysDrops(4), "determined"),
    (LooseTensor(4), "state"),
    (DeafToLabels(4, labels=3), "conditions count"),
    (Vector(), "scalar"),
    (Summed(), "batch size"),
    (Detached(), "gradient"),
    (Maximised(), "a perfect network is best"),
    (NotFinite(), "finite at every time"),
    (ScalesHat(), "batch kept"),
    (ErasesLabels(0.3), "labels kept"),
    (WholeBatch(0.3), "corrupt"),
    (WeightsOff(), "strength 0"),
    (Remembers(), "runs do not interfere"),
    (RescalesBatch(), "each sample alone"),
    (StartsAtZero(), "range"),
    (OneForAll(), "covers"),
    (WrongType(), "type"),
    (BiasedWeights(10), "weights are unbiased"),
    (OwnGenerator(), "torch's generator"),
    (SkipsLast(), "one state for each step"),
    (LateTime(), "ends at the data"),
    (KeepsHistory(), "runs do not interfere"),
    (GlobalNoise(), "seeds"),
    (InPlace(), "start kept"),
    (Eager(), "lazy"),
    (TooNoisy(), "law of the data"),
    (NegativeWeight(), "values"),
    (Drifts(), "config round trip"),
    (HoldsLock(), "pickling"),
]
"""Every faulty module with the exam that must name it."""
