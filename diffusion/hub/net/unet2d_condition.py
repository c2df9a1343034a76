"""The U-Net of Stable Diffusion. Rombach et al. 2022; Podell et al. 2023."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from ...errors import InputError, choose, require
from ...net.sizes import expect
from ..layer.activation import activation
from ..layer.condition import class_embedding, classified
from ..layer.resample import Upsample2D
from .unet_blocks2d import ascent, levels
from .unet_encoder import Depths, Encoder

UP = ("UpBlock2D", "CrossAttnUpBlock2D")


class UNet2DConditionModel(Encoder):
    """Noisy latents, times and text to `[b, out_channels, h, w]`, of any height and width.

    Args:
        reverse_transformer_layers_per_block: depths on the way up, from the last level to the
            first; by default those of the way down.
        encoder_hid_dim: width of texts that are projected to `cross_attention_dim` first.
        class_embed_type: None with `num_class_embeds` (ids), "timestep", "identity", or
            "projection" of vectors of size `projection_class_embeddings_input_dim`.
        time_cond_proj_dim: size of `timestep_cond`, the embedded guidance strength of distilled
            models (Luo et al. 2023).
    """

    fixed: ClassVar = {
        "center_input_sample": (False,), "dual_cross_attention": (False,),
        "num_attention_heads": (None,), "resnet_skip_time_act": (False,),
        "resnet_out_scale_factor": (1.0,), "time_embedding_type": ("positional",),
        "time_embedding_dim": (None,), "time_embedding_act_fn": (None,),
        "timestep_post_act": (None,), "attention_type": ("default",),
        "class_embeddings_concat": (False,), "mid_block_only_cross_attention": (None, False),
        "cross_attention_norm": (None,), "addition_embed_type_num_heads": (64,),
    }  # fmt: skip

    sample_size: int | tuple[int, int] | None = None
    out_channels: int = 4
    up_block_types: tuple[str, ...] = (UP[0], UP[1], UP[1], UP[1])
    dropout: float = 0.0
    reverse_transformer_layers_per_block: Depths | None = None
    encoder_hid_dim: int | None = None
    encoder_hid_dim_type: str | None = None
    class_embed_type: str | None = None
    num_class_embeds: int | None = None
    time_cond_proj_dim: int | None = None
    conv_in_kernel: int = 3
    conv_out_kernel: int = 3

    def __post_init__(self) -> None:
        name, widths, kernel = type(self).__name__, self.block_out_channels, self.conv_out_kernel
        levels(name, widths, up_block_types=(self.up_block_types, UP))
        self._encoder(self.conv_in_kernel, self.time_cond_proj_dim, self.dropout)
        if self.class_embed_type is not None:
            kinds = "timestep", "identity", "projection"
            choose(f"{name}.class_embed_type", self.class_embed_type, kinds)
        self.class_embedding = class_embedding(
            self.class_embed_type, self.num_class_embeds, widths[0], 4 * widths[0], self.act_fn,
            self.projection_class_embeddings_input_dim,
        )  # fmt: skip
        self.encoder_hid_proj = self._projection()
        self.up_blocks = ascent(
            self.up_block_types, widths, self._each("layers_per_block"), self._residual,
            lambda level, i: self._transformer(level, self._height(level, i)),
            lambda _, width: Upsample2D(width),
        )  # fmt: skip
        self.conv_norm_out = nn.GroupNorm(self.norm_num_groups, widths[0], self.norm_eps)
        self.conv_act = activation(self.act_fn)
        self.conv_out = nn.Conv2d(widths[0], self.out_channels, kernel, padding=(kernel - 1) // 2)

    def forward(
        self, sample: Tensor, timestep: Tensor | float, encoder_hidden_states: Tensor,
        class_labels: Tensor | None = None, timestep_cond: Tensor | None = None,
        added_cond_kwargs: dict[str, Tensor] | None = None,
        down_block_additional_residuals: Sequence[Tensor] | None = None,
        mid_block_additional_residual: Tensor | None = None,
        down_intrablock_additional_residuals: Sequence[Tensor] | None = None,
        encoder_attention_mask: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Predict.

        Args:
            encoder_hidden_states: text `[b, n, cross_attention_dim]`. encoder_attention_mask:
                `[b, n]`, true for tokens that may be looked at.
            down_block_additional_residuals, mid_block_additional_residual: of a ControlNet.
            down_intrablock_additional_residuals: of a T2I-Adapter, one for each level, and
                perhaps one for the middle.
        """
        name, text = type(self).__name__, encoder_hidden_states
        self._check(sample, text, self.encoder_hid_dim or self.cross_attention_dim)
        expect(
            timestep_cond is None or self.time_cond_proj_dim is not None, name,
            "no timestep_cond: time_cond_proj_dim is not set", timestep_cond,
        )  # fmt: skip
        temb = self._embed(sample, timestep, added_cond_kwargs, timestep_cond)
        waves = self._waves if self.class_embed_type == "timestep" else None
        temb = classified(name, temb, self.class_embedding, class_labels, waves)
        bias = self._bias(encoder_attention_mask, text, sample)
        text = text if self.encoder_hid_proj is None else self.encoder_hid_proj(text)
        extra, count = down_intrablock_additional_residuals or (), len(self.down_blocks)
        wanted = f"{count} or {count + 1} down_intrablock_additional_residuals"
        require(len(extra) in (0, count, count + 1), name, wanted, len(extra))
        x, kept = self._descend(self.conv_in(sample), temb, text, bias, extra)
        x, kept = self._controlled(
            x, kept, down_block_additional_residuals, mid_block_additional_residual
        )
        for block in self.up_blocks:
            x = block(x, kept, temb, text, bias)
        hat: Tensor = self.conv_out(self.conv_act(self.conv_norm_out(x)))
        return hat

    def _controlled(
        self, x: Tensor, kept: list[Tensor], down: Sequence[Tensor] | None, middle: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Add what a ControlNet says."""
        if down is None and middle is None:
            return x, kept
        name, wanted = type(self).__name__, f"{len(kept)} down_block_additional_residuals"
        down = down or ()
        require(len(down) == len(kept), name, wanted, len(down))
        if middle is None:
            raise InputError(f"{name}: expected mid_block_additional_residual; got None.")
        return x + middle, [a + b for a, b in zip(kept, down, strict=True)]

    def _bias(self, mask: Tensor | None, text: Tensor, sample: Tensor) -> Tensor | None:
        """What is added to the logits of tokens, `[b, 1, 1, n]`."""
        if mask is None:
            return None
        wanted = "encoder_attention_mask [b, n], as of encoder_hidden_states"
        expect(mask.shape == text.shape[:2], type(self).__name__, wanted, mask)
        return ((1 - mask.to(sample.dtype)) * -10_000.0)[:, None, None]

    def _projection(self) -> nn.Linear | None:
        name, kind = f"{type(self).__name__}.encoder_hid_dim_type", self.encoder_hid_dim_type
        if kind is not None:
            choose(name, kind, ("text_proj",))
            require(self.encoder_hid_dim is not None, name, "None without encoder_hid_dim", kind)
        if self.encoder_hid_dim is None:
            return None
        return nn.Linear(self.encoder_hid_dim, self.cross_attention_dim)

    def _height(self, level: int, i: int) -> int:
        """Depth of a transformer on the way up."""
        if self.reverse_transformer_layers_per_block is None:
            return self._depth(level, i)
        last = len(self.block_out_channels) - 1
        return self._depth(last - level, i, "reverse_transformer_layers_per_block")
