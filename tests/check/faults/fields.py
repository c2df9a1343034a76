"""Faulty data transforms and networks."""

from typing import Any

import torch
from torch import Tensor, nn

from diffusion.base import Data, Net
from diffusion.data import Embedding, Identity, Images
from diffusion.net import MLP

from ...tutorial import Perceptron


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


class ScalesTime(Perceptron):
    """`t.to(x.dtype)` copies step indices, but floating times are the caller's own."""

    def __init__(self, size: int) -> None:
        super().__init__(size)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        t = t.to(x.dtype)
        t *= 0.5
        return super().forward(x, y, t)


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


FAULTS: list[tuple[Any, str]] = [
    (NoInverse(), "decode undoes encode"),
    (BatchStatistics(), "each item alone"),
    (HiddenNetworks(), "networks are found"),
    (NeverTrains(k=5, d=8), "networks train"),
    (EncodesInPlace(torch.randn(4, 3)), "inputs kept"),
    (NoAxis(4), "output"),
    (MixesBatch(4), "each sample alone"),
    (WritesInput(4), "inputs kept"),
    (ScalesTime(4), "inputs kept"),
    (UnusedLayer(4), "gradients"),
    (AlwaysDrops(4), "determined"),
    (LooseTensor(4), "state"),
    (DeafToLabels(4, labels=3), "conditions count"),
]
