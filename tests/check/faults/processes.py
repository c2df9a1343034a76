"""Faulty noises."""

from typing import Any

import torch
from torch import Tensor

from diffusion.distribution import Categorical
from diffusion.noise import Gaussian as LibraryGaussian
from diffusion.noise import Uniform

from ...tutorial import Gaussian, Normal


def column(t: Tensor, x: Tensor) -> Tensor:
    return t.view(-1, *(1,) * (x.dim() - 1))


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

    def bridge(self, x: Tensor, z: Tensor, t: Any, s: Any) -> Categorical:
        logits = super().bridge(x, z, t, s).logits
        return Categorical(logits + 0.5 * torch.nn.functional.one_hot(z, self.k))


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
]
