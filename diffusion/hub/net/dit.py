"""DiT, a transformer over patches that is told a class: Peebles & Xie 2023."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch.nn.functional as F
from torch import Tensor, nn

from ...component import signature
from ...errors import FileError
from ..layer.attention import Attention
from ..layer.embedding import TimestepEmbedding, sinusoids
from ..layer.feedforward import FeedForward
from ..layer.inputs import grid, scalars
from ..layer.modulation import AdaNorm, modulate, plain_norm
from ..layer.patch import PatchEmbed, unpatch
from ..part import Part

FORMER: dict[str, Any] = {
    "attention_type": "default", "caption_channels": None, "cross_attention_dim": None,
    "double_self_attention": False, "interpolation_scale": None, "num_vector_embeds": None,
    "only_cross_attention": False, "use_additional_conditions": None,
    "use_linear_projection": False,
}  # fmt: skip
"""What `Transformer2DModel` wrote into the config of every model, where it means nothing."""


class Transformer2D(Part):
    """What was one class, `Transformer2DModel`, until Diffusers 0.28."""

    @classmethod
    def build(cls, config: Mapping[str, Any], where: str = "config.json") -> Self:
        known = signature(cls).parameters
        return super().build(
            {k: v for k, v in config.items() if k in known or k not in FORMER or v != FORMER[k]},
            where,
        )


class DiTTransformer2DModel(Transformer2D):
    """Latents `[b, in_channels, h, w]` at times `[b]`, of classes `[b]`, to `[b, out, h, w]`.

    The class after the last, `num_embeds_ada_norm`, is the null class. No label is dropped here in
    training: a guidance does that. Any height and width that `patch_size` divides will do.
    """

    fixed: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "norm_type": ("ada_norm_zero",), "norm_num_groups": (32,), "upcast_attention": (False,),
    }  # fmt: skip

    def __init__(
        self, num_attention_heads: int = 16, attention_head_dim: int = 72, in_channels: int = 4,
        out_channels: int | None = None, num_layers: int = 28, dropout: float = 0.0,
        attention_bias: bool = True, sample_size: int = 32, patch_size: int = 2,
        activation_fn: str = "gelu-approximate", num_embeds_ada_norm: int = 1000,
        norm_elementwise_affine: bool = False, norm_eps: float = 1e-5,
    ) -> None:  # fmt: skip
        width = num_attention_heads * attention_head_dim
        self.channels, self.patch = in_channels, (patch_size, patch_size)
        self.pos_embed = PatchEmbed(in_channels, width, patch_size, sample_size // patch_size)
        self.transformer_blocks: Any = nn.ModuleList(
            Block(
                AdaNormLabel(width, num_embeds_ada_norm),
                Attention(
                    width, num_attention_heads, attention_head_dim, bias=attention_bias,
                    dropout=dropout,
                ),
                nn.LayerNorm(width, norm_eps, norm_elementwise_affine),
                FeedForward(width, activation_fn, dropout=dropout),
            )
            for _ in range(num_layers)
        )  # fmt: skip
        self.norm_out = plain_norm(width)
        self.proj_out_1 = nn.Linear(width, 2 * width)
        out = in_channels if out_channels is None else out_channels
        self.proj_out_2 = nn.Linear(width, patch_size**2 * out)

    def forward(self, hidden_states: Tensor, timestep: Tensor, class_labels: Tensor) -> Tensor:
        name = type(self).__name__
        size = grid(name, hidden_states, self.channels, self.patch)
        scalars(name, "timestep", timestep, len(hidden_states))
        scalars(name, "class_labels", class_labels, len(hidden_states))
        x = self.pos_embed(hidden_states)
        waves = sinusoids(timestep, 256, shift=1.0).to(x.dtype)
        told = [block.norm1.emb(waves, class_labels) for block in self.transformer_blocks]
        for block, condition in zip(self.transformer_blocks, told, strict=True):
            x = block(x, condition)
        shift, scale = self.proj_out_1(F.silu(told[0])).unsqueeze(1).chunk(2, dim=-1)
        x = self.proj_out_2(modulate(self.norm_out(x), shift, scale))
        return unpatch(x, size, self.patch)


class Block(nn.Module):
    """Self-attention and a perceptron, modulated by a condition `[b, width]`."""

    def __init__(
        self, norm1: AdaNormLabel, attn1: Attention, norm3: nn.LayerNorm, ff: FeedForward
    ) -> None:
        super().__init__()
        self.norm1, self.attn1, self.norm3, self.ff = norm1, attn1, norm3, ff

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        normed, shift, scale, gate, shift_ff, scale_ff, gate_ff = self.norm1(x, condition)
        x = x + gate * self.attn1(modulate(normed, shift, scale))
        more: Tensor = gate_ff * self.ff(modulate(self.norm3(x), shift_ff, scale_ff))
        return x + more


class AdaNormLabel(AdaNorm):
    """A modulation that owns the embedding of its condition."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(width, 6)
        self.emb = TimeLabel(width, classes)


class TimeLabel(nn.Module):
    """The sum of embeddings of time, given as sinusoids `[b, 256]`, and class `[b]`."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.timestep_embedder = TimestepEmbedding(256, width)
        self.class_embedder = nn.ModuleDict({"embedding_table": nn.Embedding(classes + 1, width)})

    def forward(self, waves: Tensor, labels: Tensor) -> Tensor:
        time: Tensor = self.timestep_embedder(waves)
        label: Tensor = self.class_embedder["embedding_table"](labels)
        return time + label


def transformer2d(config: Mapping[str, Any], where: str = "config.json") -> type[Part]:
    """The class that a config means whose `_class_name` is `Transformer2DModel`."""
    from .pixart import PixArtTransformer2DModel

    kinds: dict[str, type[Part]] = {
        "ada_norm_zero": DiTTransformer2DModel, "ada_norm_single": PixArtTransformer2DModel,
    }  # fmt: skip
    kind = config.get("norm_type", "layer_norm")
    if kind not in kinds:
        raise FileError(
            f"{where}: a Transformer2DModel is supported with norm_type {' or '.join(kinds)}, "
            f"DiT and PixArt; got {kind!r}. Load it with Diffusers, and wrap it."
        )
    return kinds[kind]
