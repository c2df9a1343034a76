"""Wan 2.1 and 2.2, transformers over patches of videos: Wan team 2025."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import require
from ...net.sizes import expect
from ..layer.attention import split
from ..layer.embedding import TimestepEmbedding, sinusoids
from ..layer.feedforward import FeedForward
from ..layer.inputs import grid, shaped
from ..layer.joint_attention import attend
from ..layer.modulation import WideLayerNorm, modulate, wide
from ..layer.patch import unpatch
from ..layer.rope import Turns, grid_turns
from ..layer.text_projection import TextProjection
from ..part import Part


class WanTransformer3DModel(Part):
    """Videos `[b, in_channels, frames, h, w]` at times, and a text, to `[b, out, frames, h, w]`.

    Times are `[b]`, or `[b, n]` for each patch of its own (Wan 2.2 TI2V). With `image_dim` it also
    reads the tokens of a picture (Wan 2.1 I2V), by keys and values of their own.
    """

    fixed: ClassVar[Mapping[str, tuple[Any, ...]]] = {"qk_norm": ("rms_norm_across_heads",)}
    whole: ClassVar[tuple[str, ...]] = (
        "time_embedder", "scale_shift_table", "norm1", "norm2", "norm3",
    )  # fmt: skip
    """Parts of the names of weights that stay in float32."""

    def __init__(
        self, patch_size: tuple[int, int, int] = (1, 2, 2), num_attention_heads: int = 40,
        attention_head_dim: int = 128, in_channels: int = 16, out_channels: int | None = 16,
        text_dim: int = 4096, freq_dim: int = 256, ffn_dim: int = 13824, num_layers: int = 40,
        cross_attn_norm: bool = True, eps: float = 1e-6, image_dim: int | None = None,
        added_kv_proj_dim: int | None = None, rope_max_seq_len: int = 1024,
        pos_embed_seq_len: int | None = None,
    ) -> None:  # fmt: skip
        name, width = type(self).__name__, num_attention_heads * attention_head_dim
        fits = added_kv_proj_dim == (None if image_dim is None else width)
        wanted = f"{width}, the width, with image_dim, and null without"
        require(fits, f"{name}.added_kv_proj_dim", wanted, added_kv_proj_dim)
        self.channels, self.patch, self.longest = in_channels, patch_size, rope_max_seq_len
        self.text, self.image, self.places = text_dim, image_dim, pos_embed_seq_len
        share = 2 * (attention_head_dim // 6)
        self.axes = attention_head_dim - 2 * share, share, share
        self.patch_embedding = nn.Conv3d(in_channels, width, patch_size, patch_size)
        self.condition_embedder = Condition(width, freq_dim, text_dim, image_dim, pos_embed_seq_len)
        self.blocks = nn.ModuleList(
            Block(width, num_attention_heads, ffn_dim, cross_attn_norm, eps, image_dim is not None)
            for _ in range(num_layers)
        )
        self.norm_out = WideLayerNorm(width, eps, elementwise_affine=False)
        self.proj_out = nn.Linear(width, math.prod(patch_size) * (out_channels or in_channels))
        self.scale_shift_table = nn.Parameter(torch.randn(1, 2, width) / width**0.5)

    def forward(
        self, hidden_states: Tensor, timestep: Tensor, encoder_hidden_states: Tensor,
        encoder_hidden_states_image: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        size = grid(type(self).__name__, hidden_states, self.channels, self.patch, self.longest)
        batch, text, image = len(hidden_states), encoder_hidden_states, encoder_hidden_states_image
        self._fits(batch, math.prod(size), timestep, text, image)
        turns = grid_turns(size, self.axes, hidden_states.device)
        x = self.patch_embedding(hidden_states).flatten(2).transpose(1, 2)
        time, vectors, text, image = self.condition_embedder(
            timestep.unsqueeze(1) if timestep.dim() == 1 else timestep, text, image
        )
        for block in self.blocks:
            x = block(x, text, image, vectors, turns)
        shift, scale = (self.scale_shift_table + time.unsqueeze(2)).unbind(2)
        x = self.proj_out(modulate(self.norm_out(wide(x)), shift, scale).to(x.dtype))
        return unpatch(x, size, self.patch)

    def _fits(self, batch: int, n: int, t: Tensor, text: Tensor, image: Tensor | None) -> None:
        name = type(self).__name__
        fits = t.shape in ((batch, n), (batch,), (1,))
        expect(fits, name, f"timestep [{batch}], or [{batch}, {n}] for each patch", t)
        shaped(name, "encoder_hidden_states", text, batch, "m", self.text)
        if self.image is not None:
            pictures = batch if self.places is None else 2 * batch
            count = "k" if self.places is None else self.places // 2
            shaped(name, "encoder_hidden_states_image", image, pictures, count, self.image)
        wanted = "no encoder_hidden_states_image: this checkpoint has image_dim = null"
        expect(self.image is not None or image is None, name, wanted, image)


class Condition(nn.Module):
    """Embeddings of times `[b, 1 or n]`, of a text and perhaps of a picture."""

    def __init__(
        self, width: int, waves: int, text: int, image: int | None, places: int | None
    ) -> None:
        super().__init__()
        self.waves = waves
        self.time_embedder = TimestepEmbedding(waves, width)
        self.time_proj = nn.Linear(width, 6 * width)
        self.text_embedder = TextProjection(text, width, nn.GELU(approximate="tanh"))
        self.image_embedder: Any = None if image is None else ImageTokens(image, width, places)

    def forward(
        self, t: Tensor, text: Tensor, image: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Time `[b, 1 or n, width]`, its six vectors, text and picture as tokens."""
        waves = sinusoids(t.flatten(), self.waves).view(*t.shape, -1)
        weight = self.time_embedder.linear_1.weight
        time: Tensor = self.time_embedder(waves.to(weight.dtype)).type_as(text)
        vectors = self.time_proj(F.silu(time)).view(*t.shape, 6, -1)
        seen = None if image is None else self.image_embedder(image)
        return time, vectors, self.text_embedder(text), seen


class ImageTokens(nn.Module):
    """A picture's features as tokens.

    Args:
        places: pictures come in pairs, of so many tokens, and each token gets its position.
    """

    def __init__(self, image: int, width: int, places: int | None) -> None:
        super().__init__()
        self.norm1 = WideLayerNorm(image)
        self.ff = FeedForward(image, "gelu", hidden=image, out=width)
        self.norm2 = WideLayerNorm(width)
        self.pos_embed: Any = None
        if places is not None:
            self.pos_embed = nn.Parameter(torch.zeros(1, places, image))

    def forward(self, x: Tensor) -> Tensor:
        if self.pos_embed is not None:
            x = x.reshape(-1, *self.pos_embed.shape[1:]) + self.pos_embed
        found: Tensor = self.norm2(self.ff(self.norm1(x)))
        return found


class Block(nn.Module):
    """Attention to the video, to text and picture, and a perceptron; sums are float32."""

    def __init__(
        self, width: int, heads: int, hidden: int, norm: bool, eps: float, image: bool
    ) -> None:
        super().__init__()
        self.norm1 = WideLayerNorm(width, eps, elementwise_affine=False)
        self.attn1 = WanAttention(width, heads, eps)
        self.norm2 = WideLayerNorm(width, eps) if norm else nn.Identity()
        self.attn2 = WanAttention(width, heads, eps, image)
        self.norm3 = WideLayerNorm(width, eps, elementwise_affine=False)
        self.ffn = FeedForward(width, "gelu-approximate", hidden)
        self.scale_shift_table = nn.Parameter(torch.randn(1, 6, width) / width**0.5)

    def forward(
        self, x: Tensor, text: Tensor, image: Tensor | None, vectors: Tensor, turns: Turns
    ) -> Tensor:
        """`vectors`: `[b, 1 or n, 6, width]`."""
        shift, scale, gate, *more = (self.scale_shift_table + wide(vectors)).unbind(2)
        h = modulate(self.norm1(wide(x)), shift, scale).type_as(x)
        x = (wide(x) + self.attn1(h, turns=turns) * gate).type_as(x)
        x = x + self.attn2(self.norm2(x), text, image)
        shift, scale, gate = more
        h = modulate(self.norm3(wide(x)), shift, scale).type_as(x)
        return (wide(x) + wide(self.ffn(h)) * gate).type_as(x)


class WanAttention(nn.Module):
    """Attention to the tokens themselves, or to a text and, added to that, to a picture.

    Queries and keys have a norm over all heads. image: whether it has weights for a picture.
    """

    def __init__(self, width: int, heads: int, eps: float, image: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.norm_q, self.norm_k = (nn.RMSNorm(width, eps) for _ in range(2))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        if image:
            self.add_k_proj, self.add_v_proj = (nn.Linear(width, width) for _ in range(2))
            self.norm_added_k = nn.RMSNorm(width, eps)

    def forward(
        self, x: Tensor, text: Tensor | None = None, image: Tensor | None = None,
        turns: Turns | None = None,
    ) -> Tensor:  # fmt: skip
        context = x if text is None else text
        q, k, v = self.norm_q(self.to_q(x)), self.norm_k(self.to_k(context)), self.to_v(context)
        q = split(q, self.heads)
        seen = attend(q, split(k, self.heads), split(v, self.heads), turns)
        if image is not None:
            k, v = self.norm_added_k(self.add_k_proj(image)), self.add_v_proj(image)
            seen = seen + attend(q, split(k, self.heads), split(v, self.heads))
        found: Tensor = self.to_out[0](seen)
        return found
