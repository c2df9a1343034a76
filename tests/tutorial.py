"""The modules a reader of the public "Custom Modules" tutorial writes, in our own words.

Twice: with and without `@dataclass`. `prior` has the correct closed form, the root of the
cumulative product.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diffusion.base import Batch, Data, Distribution, Loss, Net, Noise, Schedule


class Embedding(Data):
    count: int = 2
    dimension: int = 256

    def __post_init__(self) -> None:
        self.embedding = nn.Embedding(self.count, self.dimension)

    def encode(self, w: Tensor) -> Tensor:
        return self.embedding(w)

    def decode(self, x: Tensor) -> Tensor:
        return torch.cdist(x, self.embedding.weight).argmin(-1)


class Linear(Schedule):
    start: float
    end: float

    def compute(self) -> Tensor:
        return torch.linspace(self.start, self.end, self.steps + 1)


class Normal(Distribution):
    mu: Tensor
    sigma: Tensor

    def sample(self) -> tuple[Tensor, Tensor]:
        epsilon = torch.randn(self.mu.shape, device=self.mu.device)
        return self.mu + self.sigma * epsilon, epsilon

    def nll(self, x: Tensor) -> Tensor:
        return 0.5 * ((x - self.mu) / self.sigma) ** 2 + (self.sigma * 2.5066282746310002).log()

    def dkl(self, other: "Normal") -> Tensor:
        spread = self.sigma**2 + (self.mu - other.mu) ** 2
        return (other.sigma / self.sigma).log() + spread / (2 * other.sigma**2) - 0.5


class Gaussian(Noise[Normal]):
    def schedule(self, alpha: Tensor) -> None:
        self.alpha = alpha
        self.delta = alpha.cumprod(0)

    def stationary(self, shape: tuple[int, ...]) -> Normal:
        return Normal(torch.zeros(shape), torch.ones(shape))

    def prior(self, x: Tensor, t: Tensor) -> Normal:
        t = t.view(-1, *(1,) * (x.dim() - 1))
        return Normal(self.delta[t].sqrt() * x, (1 - self.delta[t]).sqrt())

    def posterior(self, x: Tensor, z: Tensor, t: Tensor) -> Normal:
        t = t.view(-1, *(1,) * (x.dim() - 1))
        mu = self.alpha[t].sqrt() * (1 - self.delta[t - 1]) * z
        mu = mu + self.delta[t - 1].sqrt() * (1 - self.alpha[t]) * x
        return Normal(mu / (1 - self.delta[t]), self._sigma(t))

    def approximate(self, z: Tensor, t: Tensor, hat: Tensor) -> Normal:
        t = t.view(-1, *(1,) * (z.dim() - 1))
        mu = z - (1 - self.alpha[t]) / (1 - self.delta[t]).sqrt() * hat[0]
        return Normal(mu / self.alpha[t].sqrt(), self._sigma(t))

    def _sigma(self, t: Tensor) -> Tensor:
        gone = (1 - self.alpha[t]) * (1 - self.delta[t - 1])
        return (gone / (1 - self.delta[t])).sqrt()


class Simple(Loss[Distribution]):
    def compute(self, batch: Batch[Distribution]) -> Tensor:
        return ((batch.epsilon - batch.hat[0]) ** 2).mean()


class VLB(Loss[Distribution]):
    def compute(self, batch: Batch[Distribution]) -> Tensor:
        t = batch.t.view(-1, *(1,) * (batch.x.ndim - 1))
        return batch.q.dkl(batch.p).where(t > 1, batch.p.nll(batch.x)).mean()


class Perceptron(Net):
    """A net as users write them: with its own `__init__`."""

    def __init__(self, size: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(size + 1, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, size),
        )  # fmt: skip

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        time = (t if t.is_floating_point() else t / 100).to(x.dtype)
        time = time.reshape(-1, *(1,) * (x.dim() - 1)).expand(*x.shape[:-1], 1)
        return self.layers(torch.cat([x, time], -1))[None]


@dataclass
class DataclassEmbedding(Data):
    count: int = 2
    dimension: int = 256

    def __post_init__(self) -> None:
        self.embedding = nn.Embedding(self.count, self.dimension)

    def encode(self, w: Tensor) -> Tensor:
        return self.embedding(w)

    def decode(self, x: Tensor) -> Tensor:
        return torch.cdist(x, self.embedding.weight).argmin(-1)


@dataclass
class DataclassLinear(Schedule):
    start: float
    end: float

    def compute(self) -> Tensor:
        return torch.linspace(self.start, self.end, self.steps + 1)


@dataclass
class DataclassNormal(Distribution):
    mu: Tensor
    sigma: Tensor

    sample = Normal.sample
    nll = Normal.nll
    dkl = Normal.dkl


@dataclass
class DataclassGaussian(Gaussian):
    """The same process, declared as a dataclass."""


@dataclass
class DataclassSimple(Loss[Distribution]):
    index: int = 0

    def compute(self, batch: Batch[Distribution]) -> Tensor:
        return ((batch.epsilon - batch.hat[self.index]) ** 2).mean()


@dataclass
class DataclassVLB(VLB):
    """The same bound, declared as a dataclass."""
