"""The perceptron of transformer blocks; gated ones by Shazeer 2020."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import choose


def _quick(x: Tensor) -> Tensor:
    """x·sigmoid(1.702·x), Hendrycks & Gimpel 2016, section 2."""
    return x * torch.sigmoid(1.702 * x)


KINDS: dict[str, tuple[bool, Callable[[Tensor], Tensor]]] = {
    "gelu": (False, F.gelu),
    "gelu-approximate": (False, partial(F.gelu, approximate="tanh")),
    "geglu": (True, F.gelu),
    "geglu-approximate": (False, _quick),
    "swiglu": (True, F.silu),
    "linear-silu": (False, F.silu),
}
"""By the names of configs: whether a second half gates the first, and the function."""


class Projection(nn.Module):
    """Linear, then the activation, or a half times the activation of the other."""

    def __init__(self, width: int, hidden: int, kind: str) -> None:
        super().__init__()
        choose("activation_fn", kind, KINDS)
        self.gated, self.act = KINDS[kind]
        self.proj = nn.Linear(width, 2 * hidden if self.gated else hidden)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.proj(x)
        if not self.gated:
            return self.act(h)
        value, gate = h.chunk(2, dim=-1)
        return value * self.act(gate)


class FeedForward(nn.Module):
    """To `hidden` features (4·width by default), activation, and to `out` (width)."""

    def __init__(
        self, width: int, kind: str = "geglu", hidden: int | None = None, out: int | None = None,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        hidden, out = hidden or 4 * width, out or width
        layers = Projection(width, hidden, kind), nn.Dropout(dropout), nn.Linear(hidden, out)
        self.net = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.net:
            x = layer(x)
        return x
