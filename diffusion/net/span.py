"""A network that knows two times: where it is, and how far it goes."""

import copy
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ..base import Net
from ..errors import require
from .embedding import SCALE, Condition, features
from .layers import ZeroLinear


class Span(Net):
    """A network with an embedding of t - s beside that of t: times `[b, 2]` = (t, s), or `[b]`.

    Times `[b]` are (t, t). The embedding of t - s starts at zero, so that with `slow = 1` the
    network at first answers as the one it is made of, at every span. Geng et al. 2025, table 1,
    embed (t, t - s) as well.

    The library's embedding of t turns by up to 1000 radians from t = 0 to 1. What is differentiated
    in t (`loss.MeanFlow`) needs a slower one (Lu & Song 2024, section 4.1): on a mixture on the
    line the error of a single step was 0.61 of the deviation at 1000 radians, 0.08 at 20.

    Args:
        net: any network of the library; it shares its weights, and is not changed itself.
        slow: how much slower t and t - s turn than t does in `net`; 1 for a trained one.
    """

    net: Net
    slow: float = 0.02
    spans: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(0 < self.slow <= 1, "Span.slow", "a number in (0, 1]", self.slow)
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
        inner._modules = {**inner._modules, "embed": _Both(embed, self.slow)}
        self.net = inner

    @property
    def labels(self) -> int:
        """The network's number of classes."""
        return int(self.net.embed.inner.labels)  # type: ignore[union-attr, arg-type]

    @property
    def condition(self) -> int:
        """The size of the network's floating conditions."""
        return int(self.net.embed.inner.condition)  # type: ignore[union-attr, arg-type]

    @property
    def beside(self) -> int:
        """The channels of pictures that the network takes as conditions."""
        return int(self.net.beside)  # type: ignore[arg-type]

    def forward(self, x: Tensor, y: Tensor | None, t: Tensor) -> Tensor:
        hat: Tensor = self.net(x, y, t)
        return hat


class _Both(nn.Module):
    """The embedding of t and the condition, and that of t - s added to it."""

    def __init__(self, inner: Condition, slow: float) -> None:
        super().__init__()
        self.slow = slow
        width = inner.exit.out_features
        self.inner = inner
        self.enter = nn.Linear(inner.features, width)
        self.exit = ZeroLinear(width, width)
        self.to(inner.exit.weight)

    def forward(self, y: Tensor | None, t: Tensor, batch: int) -> Tensor:
        if self.slow != 1:  # steps of T = 1000, as floating times are to the embedding
            t = self.slow * (t if t.is_floating_point() else t / SCALE)
        start, end = t.unbind(1) if t.dim() == 2 else (t, t)
        hidden = self.enter(features(start - end, self.inner.features).to(self.enter.weight.dtype))
        far: Tensor = self.exit(F.silu(hidden))
        at: Tensor = self.inner(y, start, batch)
        return at + far
