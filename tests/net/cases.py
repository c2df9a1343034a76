"""One small network of every kind, with inputs for it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion.base import Net
from diffusion.net import MLP, Transformer, UNet

LABELS, VECTOR = 3, 5


@dataclass(frozen=True)
class Case:
    """How to make a network (further arguments may be given), and its inputs."""

    make: Callable[..., Net]
    shape: tuple[int, ...]
    hat: tuple[int, ...]
    ids: int = 0

    def x(self, batch: int = 4, seed: int = 0) -> Tensor:
        source = torch.Generator().manual_seed(seed)
        if self.ids:
            return torch.randint(self.ids, (batch, *self.shape), generator=source)
        return torch.randn(batch, *self.shape, generator=source)


def unet(dimensions: int) -> Callable[..., Net]:
    def make(**more: object) -> Net:
        sizes = {"hidden": 16, "heads": 2, "groups": 4, "dimensions": dimensions}
        return UNet((2, 8, 12), **{**sizes, **more})

    return make


def transformer(input: int, **own: object) -> Callable[..., Net]:
    def make(**more: object) -> Net:
        return Transformer(input, **{"depth": 2, "width": 16, "heads": 2, **own, **more})

    return make


def mlp(**more: object) -> Net:
    return MLP(3, **{"hidden": 16, "depth": 2, **more})


CASES = {
    "mlp": Case(mlp, (3,), (3,)),
    "unet 1d": Case(unet(1), (2, 7), (2, 7)),
    "unet 2d": Case(unet(2), (2, 5, 6), (2, 5, 6)),
    "unet 3d": Case(unet(3), (2, 3, 4, 5), (2, 3, 4, 5)),
    "ids": Case(transformer(7), (6,), (6, 7), ids=7),
    "vectors": Case(transformer(4, output=6), (5, 4), (5, 6)),
    "patches": Case(transformer(2, patch=2), (2, 4, 6), (2, 4, 6)),
}


def perturb(net: Net, seed: int = 0) -> Net:
    """Give every weight a random value, those that start at zero too; evaluation mode."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in net.parameters():
            width = weight[0].numel() if weight.dim() > 1 else 4
            weight.copy_(torch.randn(weight.shape, generator=source) * width**-0.5)
    return net.eval()


def times(batch: int = 4) -> Tensor:
    return torch.tensor([1, 250, 500, 999])[:batch]


def labels(batch: int = 4) -> Tensor:
    return torch.tensor([0, 1, 2, 3])[:batch]
