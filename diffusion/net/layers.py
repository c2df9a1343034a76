"""Layers that torch does not have: zero-initialised ones, and a group norm that modulates.

Every layer here resets itself (`reset_parameters`) from torch's global generator, as torch's own
do: a net made on the meta device is initialised by `to_empty` and a reset of its modules.
"""

import torch
from torch import Tensor, nn


class _Zero(nn.Module):
    """Starts as the zero function."""

    def reset_parameters(self) -> None:
        for weight in self.parameters(recurse=False):
            nn.init.zeros_(weight)


class ZeroLinear(_Zero, nn.Linear):
    """`nn.Linear` that starts at zero."""


class ZeroConv1d(_Zero, nn.Conv1d):
    """`nn.Conv1d` that starts at zero."""


class ZeroConv2d(_Zero, nn.Conv2d):
    """`nn.Conv2d` that starts at zero."""


class ZeroConv3d(_Zero, nn.Conv3d):
    """`nn.Conv3d` that starts at zero."""


CONV: tuple[type[nn.Module], ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
ZERO_CONV: tuple[type[nn.Module], ...] = (ZeroConv1d, ZeroConv2d, ZeroConv3d)
"""Convolutions by spatial dimensions, less one."""


class GroupNorm(nn.Module):
    r"""$a \cdot \frac{x - \mu}{\sqrt{v + 10^{-5}}} + b$ with the mean and variance of each group.

    Wu & He 2018; with a and b for each sample, Dhariwal & Nichol 2021, section 3 (AdaGN).

    Args:
        width: channels. groups: groups wanted; the largest divisor of `width` up to it is taken.
    """

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.groups = divisor(width, groups)
        self.weight = nn.Parameter(torch.empty(width))
        self.bias = nn.Parameter(torch.empty(width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(
        self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None
    ) -> Tensor:
        """`x` `[b, width, ...]`; a = weight + scale, b = bias + shift, each `[b or 1, width]`."""
        # Not the function of nn.functional: that one refuses groups of a single value.
        if scale is None or shift is None:
            return torch.group_norm(x, self.groups, self.weight, self.bias)
        batch, width = x.shape[:2]
        # Samples become channels of one sample, so that one kernel normalises and modulates: twice
        # as fast as a norm and a multiply-add, forward and backward on a CPU.
        flat = x.reshape(1, batch * width, *x.shape[2:])
        a = (self.weight + scale).expand(batch, width).reshape(-1)
        b = (self.bias + shift).expand(batch, width).reshape(-1)
        return torch.group_norm(flat, batch * self.groups, a, b).reshape(x.shape)


def divisor(width: int, most: int) -> int:
    """The largest divisor of `width` that is not above `most`."""
    return max(d for d in range(1, min(width, most) + 1) if width % d == 0)
