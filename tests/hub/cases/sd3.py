"""Cases of `SD3Transformer2DModel`."""

from typing import Any

import torch

from diffusion.hub.net.sd3 import SD3Transformer2DModel

from ..parity import Case

TINY = {
    "num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 3, "sample_size": 8,
    "in_channels": 4, "out_channels": 4, "joint_attention_dim": 10, "caption_projection_dim": 16,
    "pooled_projection_dim": 6, "pos_embed_max_size": 9,
}  # fmt: skip

MEDIUM = {
    "sample_size": 128, "patch_size": 2, "in_channels": 16, "num_layers": 24,
    "attention_head_dim": 64, "num_attention_heads": 24, "joint_attention_dim": 4096,
    "caption_projection_dim": 1536, "pooled_projection_dim": 2048, "out_channels": 16,
    "pos_embed_max_size": 192,
}  # fmt: skip
"""Stable Diffusion 3 medium."""

LARGE_35 = MEDIUM | {
    "num_layers": 38, "num_attention_heads": 38, "caption_projection_dim": 2432,
    "qk_norm": "rms_norm", "dual_attention_layers": [],
}  # fmt: skip

MEDIUM_35 = MEDIUM | {
    "qk_norm": "rms_norm", "dual_attention_layers": [*range(13)], "pos_embed_max_size": 384,
}  # fmt: skip


def inputs(height: int = 8, width: int = 8, channels: int = 4, **more: Any) -> Any:
    """Two latents, with five tokens of text, and `more`."""

    def made() -> dict[str, Any]:
        return {
            "hidden_states": torch.randn(2, channels, height, width),
            "encoder_hidden_states": torch.randn(2, 5, 10),
            "pooled_projections": torch.randn(2, 6),
            "timestep": torch.tensor([3.0, 712.5]),
        } | {name: make() for name, make in more.items()}

    return made


def controls(count: int, n: int = 16) -> Any:
    """What a ControlNet of `count` blocks says about `n` patches."""
    return lambda: [torch.randn(2, n, 16) for _ in range(count)]


CASES = [
    Case("3.0", SD3Transformer2DModel, TINY, inputs()),
    Case("oblong", SD3Transformer2DModel, TINY, inputs(6, 18)),
    Case("3.5-large", SD3Transformer2DModel, TINY | {"qk_norm": "rms_norm"}, inputs(10, 4)),
    Case(
        "3.5-medium", SD3Transformer2DModel,
        TINY | {"qk_norm": "rms_norm", "dual_attention_layers": (0, 1)}, inputs(),
    ),
    Case(
        "dual-everywhere", SD3Transformer2DModel,
        TINY | {"dual_attention_layers": (0, 1, 2), "out_channels": None}, inputs(),
    ),
    Case(
        "patch-3", SD3Transformer2DModel,
        TINY | {"patch_size": 3, "in_channels": 3, "out_channels": 6}, inputs(9, 12, 3),
    ),
    Case(
        "control", SD3Transformer2DModel, TINY | {"num_layers": 5},
        inputs(block_controlnet_hidden_states=controls(2)),
    ),
    Case(
        "control-and-skip", SD3Transformer2DModel, TINY,
        inputs(block_controlnet_hidden_states=controls(3), skip_layers=lambda: [1]),
    ),
]  # fmt: skip
