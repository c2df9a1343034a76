r"""Time and condition as one vector for each sample, by which every net modulates itself.

    features(t) = cos(t·w_i), sin(t·w_i),    w_i = 10000^(-i/n), i = 0..n-1

Vaswani et al. 2017, section 3.5; for diffusion times Ho et al. 2020, appendix B.
"""

import math

import torch
from torch import Tensor, nn

from .sizes import expect

SCALE = 1000
"""Floating times in [0, 1] are multiplied by this: they mean what the steps of T = 1000 mean."""


def features(t: Tensor, width: int) -> Tensor:
    """Sinusoidal features `[b, width]` in float32 of times `[b]`; `width` is even."""
    position = t.float() * SCALE if t.is_floating_point() else t.float()
    index = torch.arange(width // 2, dtype=torch.float32, device=t.device)
    angle = position.unsqueeze(-1) * torch.exp(index * (-2 * math.log(10000) / width))
    return torch.cat([angle.cos(), angle.sin()], -1)


class Condition(nn.Module):
    """The sum of a time embedding and a condition embedding.

    Args:
        net: the name that errors give. width: of the vector.
        labels: classes 1..labels; id 0 is the null condition, with a learned row of its own.
        condition: size of floating conditions `[b, condition]`; their null condition is zeros.
    """

    def __init__(self, net: str, width: int, labels: int, condition: int) -> None:
        super().__init__()
        self.name, self.labels, self.condition = net, labels, condition
        self.features = width + width % 2
        self.enter = nn.Linear(self.features, width)
        self.exit = nn.Linear(width, width)
        self.label = nn.Embedding(labels + 1, width) if labels else None
        self.vector = nn.Linear(condition, width) if condition else None

    def forward(self, y: Tensor | None, t: Tensor, batch: int) -> Tensor:
        """`[b, width]`, or `[1, width]` where one row serves the whole batch."""
        self._check(y, t, batch)
        hidden = self.enter(features(t, self.features).to(self.enter.weight.dtype))
        time: Tensor = self.exit(nn.functional.silu(hidden))
        row = self._row(y)
        return time if row is None else time + row

    def _row(self, y: Tensor | None) -> Tensor | None:
        if self.vector is not None and y is not None and y.is_floating_point():
            vector: Tensor = self.vector(y)
            return vector
        if self.label is not None:
            row: Tensor = self.label.weight[:1] if y is None else self.label(y.long())
            return row
        return None if self.vector is None else self.vector.bias

    def _check(self, y: Tensor | None, t: Tensor, batch: int) -> None:
        rows = (1, batch)
        expect(t.dim() == 1 and t.shape[0] in rows, self.name, "times t [b], b as of x", t)
        if y is None:
            return
        expect(isinstance(y, Tensor), self.name, f"{self._wanted()} or None", y)
        if y.is_floating_point():
            fits = y.dim() == 2 and y.shape[0] in rows and y.shape[1] == self.condition > 0
            fix = "" if self.condition else "Vectors [b, d] need a net made with condition=d."
            fix = fix if y.dim() < 3 else "Pictures [b, c, ...] need a net.UNet made with beside=c."
            expect(fits, self.name, self._wanted(), y, fix)
        elif self.labels:
            expect(y.dim() == 1 and y.shape[0] in rows, self.name, self._wanted(), y)

    def _wanted(self) -> str:
        ids = f"integer labels y [b] in 0..{self.labels}" if self.labels else ""
        vectors = f"floating conditions y [b, {self.condition}]" if self.condition else ""
        return " or ".join(filter(None, (ids, vectors))) or "no condition y"
