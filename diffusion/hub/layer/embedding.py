"""Times as vectors: Vaswani et al. 2017, section 3.5, and the perceptron that follows."""

import math

import torch
from torch import Tensor, nn

from .activation import activation


def sinusoids(
    t: Tensor, width: int, flip: bool = True, shift: float = 0.0, scale: float = 1.0,
    longest: float = 10_000.0,
) -> Tensor:  # fmt: skip
    r"""sin and cos of $scale \cdot t \cdot longest^{-i/(width/2 - shift)}$, `[b] -> [b, width]`.

    Args:
        flip: cosines before sines. longest: the longest period, over 2π.
    """
    half = width // 2
    rates = torch.arange(half, dtype=torch.float32, device=t.device)
    rates = torch.exp(-math.log(longest) * rates / (half - shift))
    angles = scale * (t.float().unsqueeze(1) * rates)
    waves = (angles.cos(), angles.sin()) if flip else (angles.sin(), angles.cos())
    found = torch.cat(waves, dim=1)
    return nn.functional.pad(found, (0, 1)) if width % 2 else found


class TimestepEmbedding(nn.Module):
    """Linear, activation, linear; a condition may be added before."""

    def __init__(
        self, width: int, hidden: int, act: str = "silu", out: int | None = None,
        condition: int | None = None, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.linear_1 = nn.Linear(width, hidden, bias)
        if condition is not None:
            self.cond_proj = nn.Linear(condition, width, bias=False)
        self.act = activation(act)
        self.linear_2 = nn.Linear(hidden, hidden if out is None else out, bias)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        if condition is not None:
            x = x + self.cond_proj(condition)
        hidden: Tensor = self.linear_2(self.act(self.linear_1(x)))
        return hidden
