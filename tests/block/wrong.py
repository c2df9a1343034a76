"""Modules with something wrong in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from diffusion import data, guidance, noise, schedule
from diffusion.base import Guidance, Net, Sampler
from diffusion.distribution import Normal


class LateCosine(schedule.Cosine):
    """A wrong coefficient at the time 40."""

    def compute(self) -> Tensor:
        alpha = super().compute()
        alpha[40] -= 1e-3
        return alpha


class ShiftedCosine(schedule.Cosine):
    """Every alpha one step too early."""

    def compute(self) -> Tensor:
        alpha = super().compute()
        return torch.cat([alpha[1:], alpha[-1:]])


class SinglePrecision(schedule.Cosine):
    """Computed in half the digits."""

    def compute(self) -> Tensor:
        return super().compute().bfloat16().double().clamp_max(0.9999)


class LateFlow(schedule.Flow):
    """Too noisy, near the data only."""

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return 1 - u, torch.where(u < 0.3, 0.9 * u, u)

    def slopes(self, u: Tensor) -> None:
        return None


class BadSlopes(schedule.Flow):
    """Right scales and wrong slopes."""

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return 1 - u, u

    def slopes(self, u: Tensor) -> tuple[Tensor | float, Tensor | float]:
        return -1.0, 1.1


class LoudPrior(noise.Gaussian):
    """Items are noised too far."""

    def prior(self, x: Tensor, t: Any) -> Normal:
        law = super().prior(x, t)
        return Normal(law.mu, law.sigma * 1.1)


class ScaledInputs(noise.Gaussian):
    """The network is shown states of another size."""

    def inputs(self, z: Tensor, t: Any) -> Tensor:
        return z * 0.9


class Around(Net):
    """A network in which inputs and outputs are tampered with."""

    def __init__(self, net: Net, how: Callable[..., Tensor]) -> None:
        self.net, self.how, self.labels = net, how, 3
        self.outputs, self.condition = 1, 0

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return self.how(self.net, x, y, t)


def minus(net: Net, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return -net(x, y, t)


def early(net: Net, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return net(x, y, t - 1)


def swapped(net: Net, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return net(x.flip(1), y, t)


def unconditional(net: Net, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return net(x, torch.zeros_like(y), t)


class Reversed(Guidance):
    """Classifier-free guidance with both predictions mixed up."""

    strength: float = 1.5
    conditional = True

    def __call__(self, predict: Any, noise: Any) -> Any:
        def guided(z: Any, y: Any, t: Any) -> Any:
            null, hat = predict(torch.cat([z, z]), torch.cat([y, 0 * y]), t).chunk(2, 1)
            return hat + self.strength * (hat - null)

        return guided


class Minus(guidance.ClassifierFree):
    """Classifier-free guidance towards the unconditional prediction."""

    def __call__(self, predict: Any, noise: Any) -> Any:
        def guided(z: Any, y: Any, t: Any) -> Any:
            hat, null = predict(torch.cat([z, z]), torch.cat([y, 0 * y]), t).chunk(2, 1)
            return hat - self.strength * (hat - null)

        return guided


class EarlySampler(Sampler):
    """DDPM that asks the network about the time before."""

    def __call__(
        self, noise: Any, predict: Any, z: Any, y: Any, times: Any, rng: Any
    ) -> Iterator[Any]:
        for t, s in pairwise(times):
            z = noise.step(z, t, s, predict(z, y, t - 1)).sample(rng)[0]
            yield z


class Swapped(data.Images):
    """Pictures whose first and last colours are swapped when they are decoded."""

    def decode(self, x: Tensor) -> Tensor:
        return super().decode(x).flip(1)


class Coder(nn.Module):
    """An autoencoder that halves and doubles."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.0))

    def encode(self, x: Tensor) -> Tensor:
        return x / self.gain

    def decode(self, x: Tensor) -> Tensor:
        return x * self.gain


class Words(nn.Module):
    """A text encoder: a vector for the length of each prompt."""

    def __init__(self, order: tuple[int, ...] = (0, 1, 2, 3)) -> None:
        super().__init__()
        self.order = order

    def forward(self, prompts: list[str]) -> dict[str, Tensor]:
        ids = torch.tensor([self.order[len(one) % 4] for one in prompts])
        return {"text": torch.eye(4)[ids]}
