"""Halving and doubling a picture, by a convolution or without one."""

import torch.nn.functional as F
from torch import Tensor, nn


class Downsample2D(nn.Module):
    """Half the height and width; `padding=0` pads right and below only."""

    def __init__(self, width: int, out: int | None = None, padding: int = 1) -> None:
        super().__init__()
        self.padding = padding
        self.conv = nn.Conv2d(width, width if out is None else out, 3, stride=2, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        if self.padding == 0:
            x = F.pad(x, (0, 1, 0, 1))
        half: Tensor = self.conv(x)
        return half


class Upsample2D(nn.Module):
    """Twice the height and width, or the given size: nearest neighbours, then a convolution."""

    def __init__(self, width: int, out: int | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width if out is None else out, 3, padding=1)

    def forward(self, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        double: Tensor = self.conv(doubled(x, size))
        return double


def doubled(x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Nearest neighbours, without weights."""
    if size is not None:
        return F.interpolate(x, size=size, mode="nearest")
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
