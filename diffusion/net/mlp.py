r"""A multilayer perceptron for vectors.

    h <- h + W2·silu((1 + scale)·(W1·h + b1) + shift) + b2

with scale and shift from the time and the condition (Perez et al. 2018, FiLM). Nothing is
normalised, so that what is linear in x, as every target is at high noise, passes unbent.
"""

import torch
from torch import Tensor, nn

from ..base import Net
from .embedding import Condition
from .layers import ZeroLinear
from .sizes import common, expect, positive


class MLP(Net):
    """Residual blocks on vectors `[b, size]`; the output `[parameters, b, size]` starts at zero.

    Args:
        size: of the vectors.
        labels: classes 1..labels of integer conditions `y` `[b]`; 0 is the null condition.
        parameters: predicted parameters, the first axis of the output.
        hidden: width. depth: residual blocks.
        condition: size of floating conditions `y` `[b, condition]`; 0 is none.
    """

    def __init__(
        self,
        size: int,
        labels: int = 0,
        parameters: int = 1,
        hidden: int = 128,
        depth: int = 3,
        condition: int = 0,
    ) -> None:
        positive("MLP", size=size, parameters=parameters, hidden=hidden, depth=depth)
        common("MLP", labels, condition)
        self.size, self.labels, self.outputs, self.condition = size, labels, parameters, condition
        self.embed = Condition("MLP", hidden, labels, condition)
        self.modulation = ZeroLinear(hidden, depth * 2 * hidden)
        self.enter = nn.Linear(size, hidden)
        self.blocks = nn.ModuleList(_Block(hidden) for _ in range(depth))
        self.exit = ZeroLinear(hidden, parameters * size)

    def forward(self, x: Tensor, y: Tensor | None, t: Tensor) -> Tensor:
        fits = x.dim() == 2 and x.shape[1] == self.size and x.is_floating_point()
        expect(fits, "MLP", f"floating x [b, {self.size}]", x)
        modulation = self.modulation(nn.functional.silu(self.embed(y, t, x.shape[0])))
        parts = modulation.chunk(2 * len(self.blocks), -1)
        h = self.enter(x)
        for i, block in enumerate(self.blocks):
            h = block(h, parts[2 * i], parts[2 * i + 1])
        hat: Tensor = self.exit(h).view(x.shape[0], self.outputs, self.size)
        return hat.movedim(1, 0)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(width, width)
        self.exit = nn.Linear(width, width)

    def forward(self, h: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        inner = torch.addcmul(shift, self.enter(h), 1 + scale)
        result: Tensor = h + self.exit(nn.functional.silu(inner))
        return result
