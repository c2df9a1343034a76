"""Multi-head attention over tokens, and over the pixels of a picture. Vaswani et al. 2017."""

import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """softmax(q·kᵀ/√d)·v of tokens `[b, n, width]`, or of them over a context `[b, m, context]`.

    Args:
        heads, head: how many, and the size of each. context: width of other tokens to attend to.
        bias: of the three projections; out_bias: of the last one. dropout: after it.
    """

    def __init__(
        self, width: int, heads: int, head: int, context: int | None = None, bias: bool = False,
        out_bias: bool = True, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        inner, context = heads * head, width if context is None else context
        self.heads = heads
        self.to_q = nn.Linear(width, inner, bias)
        self.to_k = nn.Linear(context, inner, bias)
        self.to_v = nn.Linear(context, inner, bias)
        self.to_out = nn.ModuleList([nn.Linear(inner, width, out_bias), nn.Dropout(dropout)])

    def forward(
        self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """`mask`: added to the logits, `[b, 1, 1 or n, m]`."""
        context = x if context is None else context
        q, k, v = (split(f, self.heads) for f in
                   (self.to_q(x), self.to_k(context), self.to_v(context)))  # fmt: skip
        h: Tensor = join(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
        for layer in self.to_out:
            h = layer(h)
        return h


class PixelAttention(Attention):
    """Self-attention of the pixels `[b, c, h, w]`, added to them."""

    def __init__(
        self, width: int, head: int, groups: int | None = 32, eps: float = 1e-5, scale: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__(width, width // head, head, bias=True)
        self.scale = scale
        self.group_norm = nn.GroupNorm(groups, width, eps) if groups else nn.Identity()

    def forward(
        self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        tokens = self.group_norm(x.flatten(2)).transpose(1, 2)
        h = super().forward(tokens, context, mask).transpose(1, 2).reshape(x.shape)
        total = h + x
        return total if self.scale == 1 else total / self.scale


def split(x: Tensor, heads: int) -> Tensor:
    """`[b, n, heads·d] -> [b, heads, n, d]`."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def join(x: Tensor) -> Tensor:
    """`[b, heads, n, d] -> [b, n, heads·d]`."""
    return x.transpose(1, 2).flatten(2)
