"""A network that knows two times: where it is, and how far it goes."""

import copy
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ..base import Net
from ..errors import require
from .embedding import Condition, features
from .layers import ZeroLinear

SLOW = 0.02
"""The embedding of t - s varies fifty times slower than that of t: it will be differentiated."""


class Span(Net):
    """A network with an embedding of t - s beside that of t: times `[b, 2]` = (t, s), or `[b]`.

    Times `[b]` are (t, t). The new embedding starts at zero: at first the network answers as the
    one it is made of, at every span. Geng et al. 2025, table 1, embed (t, t - s) as well.

    Args:
        net: any network of the library; it shares its weights, and is not changed itself.
    """

    net: Net
    spans: ClassVar[bool] = True

    def __post_init__(self) -> None:
        embed: Any = getattr(self.net, "embed", None)
        require(
            isinstance(embed, Condition),
            "Span.net",
            "a network that embeds its times by `net.embedding.Condition` at .embed",
            type(self.net).__name__,
            "Span(net) | module is right, Span(net | module) is not; a Span is one already. Your "
            "own network can take times [b, 2] itself: say so by spans = True.",
        )
        inner = copy.copy(self.net)
        inner._modules = {**inner._modules, "embed": _Both(embed)}
        self.net = inner

    @property
    def labels(self) -> int:
        """The network's number of classes."""
        return int(self.net.embed.inner.labels)  # type: ignore[union-attr, arg-type]

    @property
    def condition(self) -> int:
        """The size of the network's floating conditions."""
        return int(self.net.embed.inner.condition)  # type: ignore[union-attr, arg-type]

    def forward(self, x: Tensor, y: Tensor | None, t: Tensor) -> Tensor:
        hat: Tensor = self.net(x, y, t)
        return hat


class _Both(nn.Module):
    """The embedding of t and the condition, and that of t - s added to it."""

    def __init__(self, inner: Condition) -> None:
        super().__init__()
        width = inner.exit.out_features
        self.inner = inner
        self.enter = nn.Linear(inner.features, width)
        self.exit = ZeroLinear(width, width)
        self.to(inner.exit.weight)

    def forward(self, y: Tensor | None, t: Tensor, batch: int) -> Tensor:
        start = t[:, 0] if t.dim() == 2 else t
        span = t[:, 0] - t[:, 1] if t.dim() == 2 else t - t
        hidden = self.enter(features(SLOW * span, self.inner.features).to(self.enter.weight.dtype))
        far: Tensor = self.exit(F.silu(hidden))
        at: Tensor = self.inner(y, start, batch)
        return at + far
