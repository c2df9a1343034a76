"""Text and picture as one sequence, with two sets of weights: MMDiT, Esser et al. 2024."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import join, split
from .feedforward import FeedForward
from .modulation import AdaNorm, AdaNormOut, clamped, modulate, plain_norm
from .rope import Turns, rotate


class Heads(nn.Module):
    """Queries, keys and values of tokens `[b, n, width]`.

    Args:
        norm: whether each head's queries and keys are divided by their root mean square.
        out: whether a linear layer follows the attention.
    """

    def __init__(self, width: int, heads: int, norm: bool, out: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.norm_q, self.norm_k = (_norm(width // heads, norm) for _ in range(2))
        self.to_out = nn.ModuleList([nn.Linear(width, width)] if out else [])

    def read(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each `[b, heads, n, width / heads]`."""
        q, k, v = (split(layer(x), self.heads) for layer in (self.to_q, self.to_k, self.to_v))
        return self.norm_q(q), self.norm_k(k), v

    def write(self, x: Tensor) -> Tensor:
        """What follows the attention."""
        for layer in self.to_out:
            x = layer(x)
        return x


class SelfAttention(Heads):
    """Attention of tokens over each other."""

    def forward(self, x: Tensor, turns: Turns | None = None) -> Tensor:
        return self.write(attend(*self.read(x), turns))


class JointAttention(Heads):
    """Attention of a context and of tokens over both, the context first.

    Args:
        last: whether nobody reads the context afterwards.
    """

    def __init__(self, width: int, heads: int, norm: bool, last: bool = False) -> None:
        super().__init__(width, heads, norm)
        self.add_q_proj, self.add_k_proj, self.add_v_proj = (
            nn.Linear(width, width) for _ in range(3)
        )
        self.norm_added_q, self.norm_added_k = (_norm(width // heads, norm) for _ in range(2))
        self.to_add_out = nn.Identity() if last else nn.Linear(width, width)

    def forward(
        self, x: Tensor, context: Tensor, turns: Turns | None = None
    ) -> tuple[Tensor, Tensor]:
        layers = self.add_q_proj, self.add_k_proj, self.add_v_proj
        q, k, v = (split(layer(context), self.heads) for layer in layers)
        added = self.norm_added_q(q), self.norm_added_k(k), v
        q, k, v = (torch.cat(pair, 2) for pair in zip(added, self.read(x), strict=True))
        both, start = attend(q, k, v, turns), context.shape[1]
        return self.write(both[:, start:]), self.to_add_out(both[:, :start])


class JointBlock(nn.Module):
    """Joint attention, then a perceptron for each stream, all of them modulated by a condition.

    Args:
        norm: of queries and keys. dual: whether the tokens also attend to themselves alone.
        last: whether nobody reads the context afterwards.
    """

    def __init__(
        self, width: int, heads: int, norm: bool = True, dual: bool = False, last: bool = False
    ) -> None:
        super().__init__()
        self.last = last
        self.norm1 = AdaNorm(width, 9 if dual else 6)
        self.norm1_context: Any = AdaNormOut(width) if last else AdaNorm(width, 6)
        self.attn = JointAttention(width, heads, norm, last)
        self.attn2: Any = SelfAttention(width, heads, norm) if dual else None
        self.norm2, self.ff = plain_norm(width), FeedForward(width, "gelu-approximate")
        if not last:
            self.norm2_context = plain_norm(width)
            self.ff_context = FeedForward(width, "gelu-approximate")

    def forward(
        self, x: Tensor, context: Tensor, condition: Tensor, turns: Turns | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens `[b, n, width]` and context `[b, m, width]`, after this block."""
        normed, shift, scale, gate, shift_ff, scale_ff, gate_ff, *dual = self.norm1(x, condition)
        given, *other = self._context(context, condition)
        seen, said = self.attn(modulate(normed, shift, scale), given, turns)
        x = x + gate * seen
        if dual:
            x = x + dual[2] * self.attn2(modulate(normed, dual[0], dual[1]), turns)
        x = x + gate_ff * self.ff(modulate(self.norm2(x), shift_ff, scale_ff))
        if self.last:
            return x, context
        gate, shift, scale, gate_ff = other
        context = context + gate * said
        heard = modulate(self.norm2_context(context), shift, scale)
        return x, clamped(context + gate_ff * self.ff_context(heard))

    def _context(self, context: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        """The context as the attention takes it, and what its own perceptron is modulated by."""
        if self.last:
            return (self.norm1_context(context, condition),)
        normed, shift, scale, *other = self.norm1_context(context, condition)
        return modulate(normed, shift, scale), *other


def attend(q: Tensor, k: Tensor, v: Tensor, turns: Turns | None = None) -> Tensor:
    """softmax(q·kᵀ/√d)·v, `[b, n, heads·d]`, of heads that may be turned by their positions."""
    if turns is not None:
        q, k = rotate(q, turns), rotate(k, turns)
    return join(F.scaled_dot_product_attention(q, k, v))


def _norm(size: int, used: bool) -> nn.Module:
    return nn.RMSNorm(size, eps=1e-6) if used else nn.Identity()
