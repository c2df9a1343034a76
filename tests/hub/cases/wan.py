"""Cases of `WanTransformer3DModel`."""

from typing import Any

import torch
from torch import Tensor

from diffusion.hub.net.wan import WanTransformer3DModel

from ..parity import Case

TINY = {
    "num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 2, "in_channels": 4,
    "out_channels": 4, "text_dim": 10, "freq_dim": 8, "ffn_dim": 20,
}  # fmt: skip

IMAGE = TINY | {"image_dim": 6, "added_kv_proj_dim": 32}

T2V_1_3B = {
    "added_kv_proj_dim": None, "attention_head_dim": 128, "cross_attn_norm": True, "eps": 1e-06,
    "ffn_dim": 8960, "freq_dim": 256, "image_dim": None, "in_channels": 16,
    "num_attention_heads": 12, "num_layers": 30, "out_channels": 16, "patch_size": [1, 2, 2],
    "qk_norm": "rms_norm_across_heads", "rope_max_seq_len": 1024, "text_dim": 4096,
}  # fmt: skip
"""Wan2.1-T2V-1.3B."""

I2V_14B = T2V_1_3B | {
    "added_kv_proj_dim": 5120, "ffn_dim": 13824, "image_dim": 1280, "in_channels": 36,
    "num_attention_heads": 40, "num_layers": 40,
}  # fmt: skip
"""Wan2.1-I2V-14B."""

TI2V_5B = T2V_1_3B | {
    "ffn_dim": 14336, "in_channels": 48, "num_attention_heads": 24, "out_channels": 48,
}  # fmt: skip
"""Wan2.2-TI2V-5B."""


def inputs(
    frames: int = 3, height: int = 4, width: int = 4, channels: int = 4, text: int = 7, **more: Any
) -> Any:
    """Two videos, with a text, and `more`."""

    def made() -> dict[str, Tensor]:
        return {
            "hidden_states": torch.randn(2, channels, frames, height, width),
            "timestep": torch.tensor([3.0, 712.0]),
            "encoder_hidden_states": torch.randn(2, text, 10),
        } | {name: make() for name, make in more.items()}

    return made


def picture(batch: int = 2, count: int = 9) -> Any:
    """Features of pictures."""
    return lambda: torch.randn(batch, count, 6)


CASES = [
    Case("t2v", WanTransformer3DModel, TINY, inputs()),
    Case("oblong", WanTransformer3DModel, TINY, inputs(5, 2, 10)),
    Case("time-per-patch", WanTransformer3DModel, TINY, inputs(timestep=lambda: torch.rand(2, 12))),
    Case(
        "patch-2-3-1", WanTransformer3DModel,
        TINY | {"patch_size": (2, 3, 1), "in_channels": 3, "out_channels": None},
        inputs(4, 6, 5, 3),
    ),
    Case(
        "other-norms", WanTransformer3DModel,
        TINY | {"cross_attn_norm": False, "eps": 1e-3, "attention_head_dim": 20}, inputs(),
    ),
    Case(
        "i2v", WanTransformer3DModel, IMAGE,
        inputs(text=512, encoder_hidden_states_image=picture()),
    ),
    Case(
        "first-and-last", WanTransformer3DModel, IMAGE | {"pos_embed_seq_len": 18},
        inputs(text=512, encoder_hidden_states_image=picture(4)),
    ),
]  # fmt: skip
