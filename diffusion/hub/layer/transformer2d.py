"""Transformer blocks on the pixels of a picture, which attend to text. Rombach et al. 2022."""

from torch import Tensor, nn

from .attention import Attention
from .feedforward import FeedForward


class Block(nn.Module):
    """Attention among tokens, attention to the context, and a perceptron, each beside a shortcut.

    Args:
        context: width of the context. cross: the first attention looks at the context, too.
    """

    axis = -1
    """Of the features of its output; see `diffusion.net.cross`."""

    def __init__(self, width: int, heads: int, context: int, cross: bool) -> None:
        super().__init__()
        self.width, head, self.cross = width, width // heads, cross
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width, heads, head, context if cross else None)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = Attention(width, heads, head, context)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.attn1(self.norm1(x), context if self.cross else None)
        x = x + self.attn2(self.norm2(x), context, mask)
        y: Tensor = x + self.ff(self.norm3(x))
        return y


class Transformer2D(nn.Module):
    """`depth` blocks on the pixels `[b, c, h, w]`, between two projections, added to them.

    Args:
        context: width of the tokens attended to. linear: project after flattening, by a linear
            layer, not before by a convolution. cross: see `Block`.
    """

    def __init__(
        self, width: int, heads: int, depth: int, context: int, groups: int, linear: bool,
        cross: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        inner, self.linear = heads * (width // heads), linear
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.proj_in = nn.Linear(width, inner) if linear else nn.Conv2d(width, inner, 1)
        self.transformer_blocks = nn.ModuleList(
            Block(inner, heads, context, cross) for _ in range(depth)
        )
        self.proj_out = nn.Linear(inner, width) if linear else nn.Conv2d(inner, width, 1)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        h = self.norm(x)
        h = self.proj_in(_tokens(h)) if self.linear else _tokens(self.proj_in(h))
        for block in self.transformer_blocks:
            h = block(h, context, mask)
        size = x.shape[2:]
        h = _pixels(self.proj_out(h), size) if self.linear else self.proj_out(_pixels(h, size))
        y: Tensor = x + h
        return y


def _tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def _pixels(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], *size)
