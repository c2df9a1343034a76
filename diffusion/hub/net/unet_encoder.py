"""What U-Nets with text have in common with their ControlNets: conditions, and the way down."""

from collections.abc import Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import choose, require
from ...net.sizes import expect
from ..layer.condition import times
from ..layer.embedding import TimestepEmbedding, sinusoids
from ..layer.resample import Downsample2D
from ..layer.residual import ResnetBlock2D
from ..layer.transformer2d import Transformer2D
from ..part import Part
from .unet_blocks2d import Middle, Residual, descent, levels

DOWN = ("DownBlock2D", "CrossAttnDownBlock2D")
MIDDLE = ("UNetMidBlock2DCrossAttn", "UNetMidBlock2D")
Depths = tuple[int | tuple[int, ...], ...]


class Encoder(Part):
    """The way down of a U-Net whose pixels attend to text; see the classes that derive from it.

    Args:
        attention_head_dim: the number of heads, of all levels or of each: a misnomer that files
            keep. transformer_layers_per_block: depth of each transformer, for all levels, for
            each, or for each transformer of each. only_cross_attention: look at the text twice.
        upcast_attention: has no effect: softmax is in float32 anyhow.
        addition_embed_type: "text_time" takes `added_cond_kwargs` with `text_embeds [b, d]` and
            `time_ids [b, n]`, sizes and crops of pictures (Podell et al. 2023, section 2.2).
    """

    in_channels: int = 4
    flip_sin_to_cos: bool = True
    freq_shift: int = 0
    down_block_types: tuple[str, ...] = (DOWN[1], DOWN[1], DOWN[1], DOWN[0])
    mid_block_type: str | None = MIDDLE[0]
    only_cross_attention: bool | tuple[bool, ...] = False
    block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers_per_block: int | tuple[int, ...] = 2
    downsample_padding: int = 1
    mid_block_scale_factor: float = 1
    act_fn: str = "silu"
    norm_num_groups: int = 32
    norm_eps: float = 1e-5
    cross_attention_dim: int = 1280
    transformer_layers_per_block: int | Depths = 1
    attention_head_dim: int | tuple[int, ...] = 8
    use_linear_projection: bool = False
    addition_embed_type: str | None = None
    addition_time_embed_dim: int | None = None
    upcast_attention: bool | None = False
    resnet_time_scale_shift: str = "default"
    projection_class_embeddings_input_dim: int | None = None

    def _encoder(self, kernel: int = 3, guidance: int | None = None, dropout: float = 0.0) -> None:
        """Make all that both kinds of networks have. `guidance`: size of `timestep_cond`."""
        name, widths = type(self).__name__, self.block_out_channels
        levels(name, widths, down_block_types=(self.down_block_types, DOWN))
        hidden = 4 * widths[0]
        self.conv_in = nn.Conv2d(self.in_channels, widths[0], kernel, padding=(kernel - 1) // 2)
        self.time_embedding = TimestepEmbedding(widths[0], hidden, self.act_fn, condition=guidance)
        if self.addition_embed_type is not None:
            choose(f"{name}.addition_embed_type", self.addition_embed_type, ("text_time",))
            sizes = self.addition_time_embed_dim, self.projection_class_embeddings_input_dim
            where = f"{name}.addition_time_embed_dim, projection_class_embeddings_input_dim"
            require(None not in sizes, where, "sizes for addition_embed_type 'text_time'", sizes)
            self.add_embedding = TimestepEmbedding(sizes[1] or 0, hidden)
        self._residual: Residual = partial(
            ResnetBlock2D, temb=hidden, groups=self.norm_num_groups, eps=self.norm_eps,
            act=self.act_fn, shift=self.resnet_time_scale_shift, dropout=dropout,
        )  # fmt: skip
        self.down_blocks = descent(
            self.down_block_types, widths, self._each("layers_per_block"), self._residual,
            lambda level, i: self._transformer(level, self._depth(level, i)),
            lambda _, width: Downsample2D(width, padding=self.downsample_padding),
        )  # fmt: skip
        self.mid_block: Any = self._middle(widths[-1]) if self.mid_block_type else None

    def _middle(self, width: int) -> Middle:
        choose(f"{type(self).__name__}.mid_block_type", self.mid_block_type, MIDDLE)
        cross = self.mid_block_type == MIDDLE[0]
        last = len(self.block_out_channels) - 1
        looks = [self._transformer(last, self._depth(last, 0), False)] if cross else []
        scale = self.mid_block_scale_factor
        pairs = [self._residual(width, width, scale=scale) for _ in range(1 + len(looks))]
        return Middle(pairs, looks)

    def _transformer(self, level: int, depth: int, cross: bool | None = None) -> Transformer2D:
        width, heads = self.block_out_channels[level], self._each("attention_head_dim")[level]
        where = f"{type(self).__name__}.attention_head_dim"
        require(1 <= heads <= width, where, f"1 to {width} heads for {width} channels", heads)
        only = self._each("only_cross_attention")[level] if cross is None else cross
        groups, linear = self.norm_num_groups, self.use_linear_projection
        return Transformer2D(width, heads, depth, self.cross_attention_dim, groups, linear, only)

    def _depth(self, level: int, i: int, key: str = "transformer_layers_per_block") -> int:
        depth = self._each(key)[level]
        if isinstance(depth, int):
            return depth
        where = f"{type(self).__name__}.{key}[{level}]"
        fix = "The way up has reverse_transformer_layers_per_block."
        require(i < len(depth), where, f"a depth for transformer {i}", depth, fix)
        found: int = depth[i]
        return found

    def _each(self, key: str) -> tuple[Any, ...]:
        """A setting for each level."""
        value, count = getattr(self, key), len(self.block_out_channels)
        if not isinstance(value, tuple):
            return (value,) * count
        wanted = f"{count} of them, one for each of block_out_channels"
        require(len(value) == count, f"{type(self).__name__}.{key}", wanted, value)
        return value

    def _check(self, sample: Tensor, text: Tensor, width: int) -> None:
        fits = sample.dim() == 4 and sample.shape[1] == self.in_channels
        expect(fits, type(self).__name__, f"sample [b, {self.in_channels}, h, w]", sample)
        fits = text.dim() == 3 and text.shape[-1] == width
        expect(fits, type(self).__name__, f"encoder_hidden_states [b, n, {width}]", text)

    def _embed(
        self, sample: Tensor, timestep: Tensor | float, added: dict[str, Tensor] | None,
        guidance: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """The embedding of time, guidance and `added_cond_kwargs`, `[b, hidden]`."""
        name, dtype = type(self).__name__, self.time_embedding.linear_1.weight.dtype
        waves = self._waves(times(name, timestep, sample))
        temb: Tensor = self.time_embedding(waves.to(dtype), guidance)
        if self.addition_embed_type is None:
            return temb
        added, wanted = added or {}, "added_cond_kwargs with text_embeds and time_ids"
        require({"text_embeds", "time_ids"} <= {*added}, name, wanted, [*added])
        text, ids = added["text_embeds"], added["time_ids"]
        waves = self._waves(ids.flatten(), self.addition_time_embed_dim)
        both = torch.cat([text, waves.reshape(text.shape[0], -1)], dim=-1).to(dtype)
        size = self.projection_class_embeddings_input_dim
        wanted = f"text_embeds, and time_ids as {self.addition_time_embed_dim} each, [b, {size}]"
        expect(both.shape[-1] == size, name, wanted, both)
        found: Tensor = self.add_embedding(both)
        return temb + found

    def _waves(self, t: Tensor, width: int | None = None) -> Tensor:
        width = width or self.block_out_channels[0]
        return sinusoids(t, width, self.flip_sin_to_cos, self.freq_shift)

    def _descend(
        self, x: Tensor, temb: Tensor, context: Tensor, mask: Tensor | None = None,
        extra: Sequence[Tensor] = (),
    ) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
        """The way down and the middle, and all that the way up needs.

        `extra` is added at each level, see `Down`, and what is left of it to the middle.
        """
        kept, count = [x], len(self.down_blocks)
        for block, one in zip_longest(self.down_blocks, extra[:count]):
            x, more = block(x, temb, context, mask, one)
            kept += more
        if self.mid_block is not None:
            x = self.mid_block(x, temb, context, mask)
        for one in extra[count:]:
            x = x + one
        return x, kept
