"""Tiny models of this library, with weights that say something."""

from typing import Any

import torch
from torch import Tensor

from diffusion import Model, data, guidance, net, noise, schedule, tree
from diffusion.base import Net
from diffusion.noise.clock import Clock


def model(side: int = 8, channels: int = 1, labels: int = 0, seed: int = 0, **more: Any) -> Any:
    """A U-Net of two widths on pictures, whose last layer is no longer zero."""
    torch.manual_seed(seed)
    network = net.UNet((channels, 8), labels=labels)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    classes = {"names": tuple(f"class {i}" for i in range(1, labels + 1))} if labels else {}
    if labels:
        more = {"guidance": guidance.ClassifierFree(strength=1.0), **more}
    return Model(
        data.Images(**classes), schedule.Cosine(100), noise.Gaussian(), network,
        shape=(channels, side, side), **more,
    )  # fmt: skip


class Ideal(Net):
    """E[x | z] of pixels x ~ N(0, 1/4), each for itself."""

    def __init__(self, schedule: Any) -> None:
        self.clock = Clock(schedule)

    def forward(self, x: Tensor, y: Any, t: Tensor) -> Tensor:
        signal, sigma = (tree.rows(torch.as_tensor(one), x) for one in self.clock(t))
        return (signal / (signal**2 + 4 * sigma**2) * x).to(x.dtype).unsqueeze(0)


def ideal(side: int = 8) -> Any:
    """A model that knows the law of its data."""
    cosine = schedule.Cosine(100)
    return Model(
        data.Images(), cosine, noise.Gaussian("x"), Ideal(cosine), shape=(1, side, side)
    )  # fmt: skip
