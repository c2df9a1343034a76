"""Layers that torch does not have: zero-initialised ones, and a group norm that modulates.

Every layer resets itself (`reset_parameters`), from torch's global generator, as torch's own do: a
net made on the meta device is initialised by moving it with `to_empty` and resetting its modules.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Zero(nn.Module):
    """Starts as the zero function."""

    def reset_parameters(self) -> None:
        for weight in self.parameters():
            nn.init.zeros_(weight)


class ZeroLinear(_Zero, nn.Linear):
    """`nn.Linear` that starts at zero."""


class ZeroConv1d(_Zero, nn.Conv1d):
    """`nn.Conv1d` that starts at zero."""


class ZeroConv2d(_Zero, nn.Conv2d):
    """`nn.Conv2d` that starts at zero."""


class ZeroConv3d(_Zero, nn.Conv3d):
    """`nn.Conv3d` that starts at zero."""


CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
ZERO_CONV = {1: ZeroConv1d, 2: ZeroConv2d, 3: ZeroConv3d}


class GroupNorm(nn.Module):
    r"""$scale \cdot \frac{x - \mu}{\sqrt{v + 10^{-5}}} + shift$ over each group of channels.

    Wu & He 2018, and with a scale and shift for each sample Dhariwal & Nichol 2021, equation 4.

    Args:
        width: channels. groups: wanted groups; the largest divisor of `width` not above it is used.
    """

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.groups = divisor(width, groups)
        self.scale = nn.Parameter(torch.empty(width))
        self.shift = nn.Parameter(torch.empty(width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.ones_(self.scale)
        nn.init.zeros_(self.shift)

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """`x` `[b, c, ...]`; `scale` (around 0) and `shift` are `[b, c]` or `[1, c]`."""
        scale = self.scale if scale is None else self.scale * (1 + scale)
        shift = self.shift if shift is None else self.shift + shift
        batch, width = x.shape[:2]
        # Samples become channels, so that one kernel normalises and modulates: 3.7 times faster
        # than a norm followed by a multiply-add, forward and backward, on 64×32×28×28.
        flat = x.reshape(1, batch * width, *x.shape[2:])
        rows = (v.expand(batch, width).reshape(-1) for v in (scale, shift))
        return F.group_norm(flat, batch * self.groups, *rows).view(x.shape)


def divisor(width: int, most: int) -> int:
    """The largest divisor of `width` that is not above `most`."""
    return max(d for d in range(1, min(width, most) + 1) if width % d == 0)
