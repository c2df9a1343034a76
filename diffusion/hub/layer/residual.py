"""The residual block of U-Nets and autoencoders. He et al. 2016; Dhariwal & Nichol 2021."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import choose
from .activation import activation
from .resample import doubled


class ResnetBlock2D(nn.Module):
    """Norm, activation, convolution, twice, beside a shortcut.

    Args:
        temb: size of the time embedding, or None. shift: how it enters: "default" is added,
            "scale_shift" scales and shifts the second norm. resample: "up", "down" or "".
        scale: what the sum of both ways is divided by.
    """

    def __init__(
        self, width: int, out: int, temb: int | None, groups: int = 32, eps: float = 1e-6,
        act: str = "swish", shift: str = "default", dropout: float = 0.0, resample: str = "",
        scale: float = 1.0, groups_out: int | None = None, skip_time_act: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        choose("resnet_time_scale_shift", shift, ("default", "scale_shift"))
        self.scaled, self.resample, self.scale = shift == "scale_shift", resample, scale
        self.skip_time_act = skip_time_act
        self.norm1 = nn.GroupNorm(groups, width, eps)
        self.conv1 = nn.Conv2d(width, out, 3, padding=1)
        self.time_emb_proj: Any = None
        if temb is not None:
            self.time_emb_proj = nn.Linear(temb, 2 * out if self.scaled else out)
        self.norm2 = nn.GroupNorm(groups if groups_out is None else groups_out, out, eps)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.nonlinearity = activation(act)
        self.conv_shortcut: Any = nn.Conv2d(width, out, 1) if width != out else None

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        h = self.nonlinearity(self.norm1(x))
        if self.resample == "up":
            x, h = doubled(x), doubled(h)
        elif self.resample == "down":
            x, h = F.avg_pool2d(x, 2, 2), F.avg_pool2d(h, 2, 2)
        h = self.conv1(h)
        scale = shift = None
        if self.time_emb_proj is not None and temb is not None:
            temb = temb if self.skip_time_act else self.nonlinearity(temb)
            added = self.time_emb_proj(temb)[:, :, None, None]
            if self.scaled:
                scale, shift = added.chunk(2, dim=1)
            else:
                h = h + added
        h = self.norm2(h)
        if scale is not None:
            h = h * (1 + scale) + shift
        h = self.conv2(self.dropout(self.nonlinearity(h)))
        if self.conv_shortcut is not None:
            x = self.conv_shortcut(x)
        total: Tensor = x + h
        return total if self.scale == 1 else total / self.scale
