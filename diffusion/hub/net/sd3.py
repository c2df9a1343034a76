"""The transformer of Stable Diffusion 3 and 3.5: Esser et al. 2024."""

from collections.abc import Collection, Sequence

from torch import Tensor, nn

from ...errors import choose, require
from ..layer.inputs import grid, scalars, shaped
from ..layer.joint_attention import JointBlock
from ..layer.modulation import AdaNormOut
from ..layer.patch import PatchEmbed, unpatch
from ..layer.text_projection import TimeText
from ..part import Part


class SD3Transformer2DModel(Part):
    """Latents `[b, in_channels, h, w]` at times `[b]`, and a text, to `[b, out_channels, h, w]`.

    Any height and width up to `pos_embed_max_size` patches.
    """

    def __init__(
        self, sample_size: int = 128, patch_size: int = 2, in_channels: int = 16,
        num_layers: int = 18, attention_head_dim: int = 64, num_attention_heads: int = 18,
        joint_attention_dim: int = 4096, caption_projection_dim: int = 1152,
        pooled_projection_dim: int = 2048, out_channels: int | None = 16,
        pos_embed_max_size: int = 96, dual_attention_layers: tuple[int, ...] = (),
        qk_norm: str | None = None,
    ) -> None:  # fmt: skip
        name, width = type(self).__name__, num_attention_heads * attention_head_dim
        choose(f"{name}.qk_norm", qk_norm or "None", ("None", "rms_norm"))
        wanted = f"num_attention_heads·attention_head_dim = {width}"
        same = caption_projection_dim == width
        require(same, f"{name}.caption_projection_dim", wanted, caption_projection_dim)
        self.channels, self.patch = in_channels, (patch_size, patch_size)
        self.text, self.pooled = joint_attention_dim, pooled_projection_dim
        base = sample_size // patch_size
        self.pos_embed = PatchEmbed(
            in_channels, width, patch_size, base, largest=pos_embed_max_size
        )
        self.time_text_embed = TimeText(width, pooled_projection_dim)
        self.context_embedder = nn.Linear(joint_attention_dim, width)
        self.transformer_blocks = nn.ModuleList(
            JointBlock(
                width, num_attention_heads, norm=qk_norm is not None,
                dual=i in dual_attention_layers, last=i == num_layers - 1,
            )
            for i in range(num_layers)
        )  # fmt: skip
        self.norm_out = AdaNormOut(width)
        out = in_channels if out_channels is None else out_channels
        self.proj_out = nn.Linear(width, patch_size**2 * out)

    def forward(
        self, hidden_states: Tensor, encoder_hidden_states: Tensor, pooled_projections: Tensor,
        timestep: Tensor, block_controlnet_hidden_states: Sequence[Tensor] | None = None,
        skip_layers: Collection[int] = (),
    ) -> Tensor:  # fmt: skip
        """See the class.

        Args:
            encoder_hidden_states: the text's tokens `[b, m, joint_attention_dim]`.
            pooled_projections: the text as one vector `[b, pooled_projection_dim]`.
            block_controlnet_hidden_states: `[b, n, width]`, spread over the blocks and added.
            skip_layers: blocks to leave out, for guidance by a worse version of the network.
        """
        name = type(self).__name__
        size = grid(name, hidden_states, self.channels, self.patch, self.pos_embed.largest)
        batch = len(hidden_states)
        shaped(name, "encoder_hidden_states", encoder_hidden_states, batch, "m", self.text)
        shaped(name, "pooled_projections", pooled_projections, batch, self.pooled)
        scalars(name, "timestep", timestep, batch)
        x, context = self.pos_embed(hidden_states), self.context_embedder(encoder_hidden_states)
        condition = self.time_text_embed(timestep, pooled_projections)
        control, count = block_controlnet_hidden_states or (), len(self.transformer_blocks)
        for i, block in enumerate(self.transformer_blocks):
            if i not in skip_layers:
                x, context = block(x, context, condition)
            if control and i < count - 1:
                x = x + control[int(i / (count / len(control)))]
        return unpatch(self.proj_out(self.norm_out(x, condition)), size, self.patch)
