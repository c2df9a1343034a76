"""PixArt, a transformer over patches that reads a text: Chen et al. 2023 (Alpha), 2024 (Sigma)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import require
from ...net.sizes import expect
from ..layer.attention import Attention
from ..layer.embedding import TimestepEmbedding, sinusoids
from ..layer.feedforward import FeedForward
from ..layer.inputs import grid, scalars, shaped
from ..layer.modulation import modulate, plain_norm
from ..layer.patch import PatchEmbed, unpatch
from ..layer.text_projection import TextProjection
from .dit import Transformer2D


class PixArtTransformer2DModel(Transformer2D):
    """Latents `[b, in_channels, h, w]` at times `[b]`, and a text, to `[b, out_channels, h, w]`.

    With `use_additional_conditions` (by default where `sample_size` is 128) it is also told the
    picture's resolution `[b, 2]` and aspect ratio `[b, 1]`.
    """

    fixed: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "norm_type": ("ada_norm_single",), "norm_num_groups": (32,), "upcast_attention": (False,),
        "num_embeds_ada_norm": (1000,), "attention_type": ("default", None),
    }  # fmt: skip

    def __init__(
        self, num_attention_heads: int = 16, attention_head_dim: int = 72, in_channels: int = 4,
        out_channels: int | None = 8, num_layers: int = 28, dropout: float = 0.0,
        cross_attention_dim: int = 1152, attention_bias: bool = True, sample_size: int = 128,
        patch_size: int = 2, activation_fn: str = "gelu-approximate",
        norm_elementwise_affine: bool = False, norm_eps: float = 1e-6,
        interpolation_scale: int | float | None = None,
        use_additional_conditions: bool | None = None, caption_channels: int | None = None,
    ) -> None:  # fmt: skip
        heads, head = num_attention_heads, attention_head_dim
        width = heads * head
        scale = max(sample_size // 64, 1) if interpolation_scale is None else interpolation_scale
        self.channels, self.patch = in_channels, (patch_size, patch_size)
        base = sample_size // patch_size
        self.pos_embed = PatchEmbed(in_channels, width, patch_size, base, scale)
        self.transformer_blocks = nn.ModuleList(
            Block(
                nn.LayerNorm(width, norm_eps, norm_elementwise_affine),
                Attention(width, heads, head, None, attention_bias, dropout=dropout),
                nn.LayerNorm(width, norm_eps, norm_elementwise_affine),
                Attention(width, heads, head, cross_attention_dim, attention_bias, dropout=dropout),
                FeedForward(width, activation_fn, dropout=dropout),
            )
            for _ in range(num_layers)
        )
        self.norm_out = plain_norm(width)
        self.scale_shift_table = nn.Parameter(torch.randn(2, width) / width**0.5)
        out = in_channels if out_channels is None else out_channels
        self.proj_out = nn.Linear(width, patch_size**2 * out)
        added = use_additional_conditions
        self.adaln_single = TimeSize(width, sample_size == 128 if added is None else added)
        self.text = cross_attention_dim if caption_channels is None else caption_channels
        self.caption_projection: nn.Module = nn.Identity()
        if caption_channels is not None:
            act = nn.GELU(approximate="tanh")
            self.caption_projection = TextProjection(caption_channels, width, act)

    def forward(
        self, hidden_states: Tensor, encoder_hidden_states: Tensor, timestep: Tensor,
        added_cond_kwargs: Mapping[str, Tensor] | None = None,
        attention_mask: Tensor | None = None, encoder_attention_mask: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Masks, of patches and of text, are 1 where to look, `[b, n]`, or logits `[b, 1, n]`."""
        name = type(self).__name__
        size = grid(name, hidden_states, self.channels, self.patch)
        batch, text = len(hidden_states), encoder_hidden_states
        scalars(name, "timestep", timestep, batch)
        shaped(name, "encoder_hidden_states", text, batch, "n", self.text)
        added = added_cond_kwargs or {}
        for key, count in self.adaln_single.sizes.items():
            shaped(name, f"added_cond_kwargs[{key!r}]", added.get(key), batch, count)
        x = self.pos_embed(hidden_states)
        condition, time = self.adaln_single(timestep, added, x.dtype)
        text = self.caption_projection(text)
        mask = _logits("attention_mask", attention_mask, x)
        text_mask = _logits("encoder_attention_mask", encoder_attention_mask, text)
        for block in self.transformer_blocks:
            x = block(x, text, condition, mask, text_mask)
        shift, scale = (self.scale_shift_table + time.unsqueeze(1)).chunk(2, dim=1)
        x = self.proj_out(modulate(self.norm_out(x), shift, scale))
        return unpatch(x, size, self.patch)


class Block(nn.Module):
    """Attention to the picture, to the text, a perceptron; modulated by `[b, 6, width]`."""

    def __init__(
        self, norm1: nn.Module, attn1: Attention, norm2: nn.Module, attn2: Attention,
        ff: FeedForward,
    ) -> None:  # fmt: skip
        super().__init__()
        self.norm1, self.attn1, self.norm2, self.attn2, self.ff = norm1, attn1, norm2, attn2, ff
        width = attn1.to_q.in_features
        self.scale_shift_table = nn.Parameter(torch.randn(6, width) / width**0.5)

    def forward(
        self, x: Tensor, text: Tensor, condition: Tensor, mask: Tensor | None,
        text_mask: Tensor | None,
    ) -> Tensor:  # fmt: skip
        vectors = (self.scale_shift_table + condition).chunk(6, dim=1)
        shift, scale, gate, shift_ff, scale_ff, gate_ff = vectors
        x = x + gate * self.attn1(modulate(self.norm1(x), shift, scale), None, mask)
        x = x + self.attn2(x, text, text_mask)
        more: Tensor = gate_ff * self.ff(modulate(self.norm2(x), shift_ff, scale_ff))
        return x + more


class TimeSize(nn.Module):
    """The modulation of all blocks `[b, 6, width]`, and the time `[b, width]`: adaLN-single."""

    def __init__(self, width: int, added: bool) -> None:
        super().__init__()
        require(not added or width % 3 == 0, "PixArt", "a width that 3 divides", width)
        self.sizes = {"resolution": 2, "aspect_ratio": 1} if added else {}
        self.emb = nn.ModuleDict({"timestep_embedder": TimestepEmbedding(256, width)})
        for key in self.sizes:
            self.emb[f"{key}_embedder"] = TimestepEmbedding(256, width // 3)
        self.linear = nn.Linear(width, 6 * width)

    def forward(
        self, t: Tensor, added: Mapping[str, Tensor], dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        time: Tensor = self.emb["timestep_embedder"](sinusoids(t, 256).to(dtype))
        if self.sizes:
            time = time + torch.cat([self._size(key, added[key], dtype) for key in self.sizes], 1)
        return self.linear(F.silu(time)).view(-1, 6, time.shape[1]), time

    def _size(self, key: str, value: Tensor, dtype: torch.dtype) -> Tensor:
        """The numbers `[b, k]`, each embedded, side by side."""
        waves = sinusoids(value.flatten(), 256).to(dtype)
        embedded: Tensor = self.emb[f"{key}_embedder"](waves)
        return embedded.view(len(value), -1)


def _logits(name: str, mask: Tensor | None, of: Tensor) -> Tensor | None:
    """What is added to the logits where tokens `of` `[b, n, width]` are read, `[b, 1, 1, n]`."""
    if mask is None:
        return None
    b, n = of.shape[:2]
    fits = mask.shape in ((b, n), (b, 1, n))
    expect(fits, "PixArtTransformer2DModel", f"{name} [{b}, {n}] or [{b}, 1, {n}]", mask)
    if mask.dim() == 2:
        mask = ((1 - mask.to(of.dtype)) * -10_000.0).unsqueeze(1)
    return mask.to(of.dtype).unsqueeze(1)
