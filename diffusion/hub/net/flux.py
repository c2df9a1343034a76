"""Flux: joint blocks, then blocks of one stream, with rotary positions (Black Forest Labs 2024)."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import require
from ...net.sizes import expect
from ..layer.inputs import scalars, shaped
from ..layer.joint_attention import JointBlock, SelfAttention
from ..layer.modulation import AdaNorm, AdaNormOut, clamped, modulate
from ..layer.rope import Turns, turns
from ..layer.text_projection import TimeText
from ..part import Part


class FluxTransformer2DModel(Part):
    """Patches `[b, n, in_channels]` at times `[b]` in 0..1, and a text, to `[b, n, out_channels]`.

    Where the patches are comes with them: `img_ids` `[n, axes]`.
    """

    def __init__(
        self, patch_size: int = 1, in_channels: int = 64, out_channels: int | None = None,
        num_layers: int = 19, num_single_layers: int = 38, attention_head_dim: int = 128,
        num_attention_heads: int = 24, joint_attention_dim: int = 4096,
        pooled_projection_dim: int = 768, guidance_embeds: bool = False,
        axes_dims_rope: tuple[int, ...] = (16, 56, 56),
    ) -> None:  # fmt: skip
        heads, width = num_attention_heads, num_attention_heads * attention_head_dim
        fits = sum(axes_dims_rope) == attention_head_dim and all(n % 2 == 0 for n in axes_dims_rope)
        wanted = f"even numbers that add up to attention_head_dim = {attention_head_dim}"
        require(fits, f"{type(self).__name__}.axes_dims_rope", wanted, axes_dims_rope)
        self.channels, self.axes, self.guided = in_channels, axes_dims_rope, guidance_embeds
        self.text, self.pooled = joint_attention_dim, pooled_projection_dim
        self.time_text_embed = TimeText(width, pooled_projection_dim, guidance_embeds)
        self.context_embedder = nn.Linear(joint_attention_dim, width)
        self.x_embedder = nn.Linear(in_channels, width)
        self.transformer_blocks = nn.ModuleList(JointBlock(width, heads) for _ in range(num_layers))
        self.single_transformer_blocks = nn.ModuleList(
            SingleBlock(width, heads) for _ in range(num_single_layers)
        )
        self.norm_out = AdaNormOut(width)
        self.proj_out = nn.Linear(width, patch_size**2 * (out_channels or in_channels))

    def forward(
        self, hidden_states: Tensor, encoder_hidden_states: Tensor, pooled_projections: Tensor,
        timestep: Tensor, img_ids: Tensor, txt_ids: Tensor, guidance: Tensor | None = None,
        controlnet_block_samples: Sequence[Tensor] | None = None,
        controlnet_single_block_samples: Sequence[Tensor] | None = None,
        controlnet_blocks_repeat: bool = False,
    ) -> Tensor:  # fmt: skip
        """See the class.

        Args:
            encoder_hidden_states: the text's tokens `[b, m, joint_attention_dim]`, which are at
                `txt_ids` `[m, axes]`.
            pooled_projections: the text as one vector `[b, pooled_projection_dim]`.
            guidance: strength `[b]`, where the network is distilled (`guidance_embeds`).
            controlnet_block_samples, controlnet_single_block_samples: `[b, n, width]`, spread over
                the blocks of a kind, or repeated, and added.
        """
        self._fits(hidden_states, encoder_hidden_states, pooled_projections, timestep, guidance)
        by = self._turns(hidden_states, img_ids, encoder_hidden_states, txt_ids)
        x, context = self.x_embedder(hidden_states), self.context_embedder(encoder_hidden_states)
        strength = None if guidance is None else guidance.to(x.dtype) * 1000
        t = timestep.to(x.dtype) * 1000
        condition = self.time_text_embed(t, pooled_projections, strength)
        blocks, repeat = self.transformer_blocks, controlnet_blocks_repeat
        for block, control in _controlled(blocks, controlnet_block_samples, repeat):
            x, context = block(x, context, condition, by)
            x = x if control is None else x + control
        start, both = context.shape[1], torch.cat([context, x], 1)
        blocks = self.single_transformer_blocks
        for block, control in _controlled(blocks, controlnet_single_block_samples):
            both = block(both, condition, by)
            both = both if control is None else both + F.pad(control, (0, 0, start, 0))
        hat: Tensor = self.proj_out(self.norm_out(both[:, start:], condition))
        return hat

    def _fits(self, x: Tensor, text: Tensor, pooled: Tensor, t: Tensor, strength: Any) -> None:
        name = type(self).__name__
        shaped(name, "hidden_states", x, "b", "n", self.channels)
        shaped(name, "encoder_hidden_states", text, len(x), "m", self.text)
        shaped(name, "pooled_projections", pooled, len(x), self.pooled)
        scalars(name, "timestep", t, len(x))
        if self.guided:
            scalars(name, "guidance", strength, len(x))
        wanted = "no guidance: this checkpoint has guidance_embeds = false"
        expect(self.guided or strength is None, name, wanted, strength)

    def _turns(self, x: Tensor, img_ids: Tensor, text: Tensor, txt_ids: Tensor) -> Turns:
        """Rotations of the text's tokens, then of the picture's."""
        for name, ids, what in (("img_ids", img_ids, x), ("txt_ids", txt_ids, text)):
            shaped(type(self).__name__, name, ids, what.shape[1], len(self.axes))
        return turns(torch.cat([txt_ids, img_ids]), self.axes)


class SingleBlock(nn.Module):
    """Attention and a perceptron side by side, modulated by a condition."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = AdaNorm(width, 3)
        self.proj_mlp = nn.Linear(width, 4 * width)
        self.proj_out = nn.Linear(5 * width, width)
        self.attn = SelfAttention(width, heads, norm=True, out=False)

    def forward(self, x: Tensor, condition: Tensor, by: Turns) -> Tensor:
        normed, shift, scale, gate = self.norm(x, condition)
        h = modulate(normed, shift, scale)
        ways = self.attn(h, by), F.gelu(self.proj_mlp(h), approximate="tanh")
        return clamped(x + gate * self.proj_out(torch.cat(ways, 2)))


def _controlled(
    blocks: nn.ModuleList, samples: Sequence[Tensor] | None, repeat: bool = False
) -> Iterator[tuple[nn.Module, Tensor | None]]:
    """Each block with its share of fewer samples: in turn, or each for a stretch of blocks."""
    shares: Sequence[Tensor | None] = samples or [None]
    stretch = -(-len(blocks) // len(shares))
    for i, block in enumerate(blocks):
        yield block, shares[i % len(shares) if repeat else i // stretch]
