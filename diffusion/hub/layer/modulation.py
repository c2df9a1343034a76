"""Norms that a condition shifts and scales: adaLN, Peebles & Xie 2023, section 3.2."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x·(1 + scale) + shift."""
    return x * (1 + scale) + shift


def plain_norm(width: int) -> nn.LayerNorm:
    """A layer norm without weights: a condition stands for them."""
    return nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)


def clamped(x: Tensor) -> Tensor:
    """float16 without infinities; other precisions as they are."""
    return x.clamp(-65504, 65504) if x.dtype == torch.float16 else x


def wide(x: Tensor) -> Tensor:
    """At least float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class AdaNorm(nn.Module):
    """The norm of tokens `[b, n, width]`, and `count` vectors `[b, 1, width]` from a condition."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.linear = nn.Linear(width, count * width)
        self.norm = plain_norm(width)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        vectors: Tensor = self.linear(F.silu(condition)).unsqueeze(1)
        return self.norm(x), *vectors.chunk(self.count, dim=-1)


class AdaNormOut(nn.Module):
    """The norm of tokens, scaled and shifted by a condition `[b, width]`; scale comes first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2 * width)
        self.norm = plain_norm(width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        vectors: Tensor = self.linear(F.silu(condition).to(x.dtype)).unsqueeze(1)
        scale, shift = vectors.chunk(2, dim=-1)
        return modulate(self.norm(x), shift, scale)


class WideLayerNorm(nn.LayerNorm):
    """A layer norm whose weights and sums are float32 at least, whatever it is given."""

    def forward(self, input: Tensor) -> Tensor:
        weight, bias = (None if w is None else wide(w) for w in (self.weight, self.bias))
        normed = F.layer_norm(wide(input), self.normalized_shape, weight, bias, self.eps)
        return normed.to(input.dtype)
