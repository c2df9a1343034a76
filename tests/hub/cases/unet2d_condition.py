"""Configs of `UNet2DConditionModel`."""

from collections.abc import Callable
from typing import Any

import torch

from diffusion.hub.net.unet2d_condition import UNet2DConditionModel

from ..parity import Case

SMALL: dict[str, Any] = {
    "block_out_channels": (8, 16),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "norm_num_groups": 4,
    "attention_head_dim": 2,
    "cross_attention_dim": 12,
}
WIDE: dict[str, Any] = {
    "block_out_channels": (8, 16, 16),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 3),
    "attention_head_dim": (1, 2, 4),
    "use_linear_projection": True,
    "layers_per_block": 1,
}
TIMED: dict[str, Any] = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 6,
    "projection_class_embeddings_input_dim": 5 + 3 * 6,
}


def added() -> dict[str, Any]:
    """Conditions for `TIMED`."""
    return {"text_embeds": torch.randn(2, 5), "time_ids": torch.tensor([[64, 0, 3], [32, 1, 2]])}


def _case(
    name: str, size: tuple[int, int] = (8, 12), more: Callable[[], dict[str, Any]] = dict,
    text: int = 12, **config: Any,
) -> Case:  # fmt: skip
    config = {**SMALL, **config}

    def inputs() -> dict[str, Any]:
        sample = torch.randn(2, config.get("in_channels", 4), *size)
        states = torch.randn(2, 7, text)
        made = {"sample": sample, "timestep": torch.tensor([3, 900])}
        return {**made, "encoder_hidden_states": states, **more()}

    return Case(name, UNet2DConditionModel, config, inputs)


def _masked() -> dict[str, Any]:
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[1, 4:] = False
    return {"encoder_attention_mask": mask}


def _controlled() -> dict[str, Any]:
    shapes = [(8, 8, 12)] * 3 + [(8, 4, 6)] + [(16, 4, 6)] * 2
    return {
        "down_block_additional_residuals": [torch.randn(2, *shape) for shape in shapes],
        "mid_block_additional_residual": torch.randn(2, 16, 4, 6),
    }


def _adapted(*shapes: tuple[int, ...]) -> Callable[[], dict[str, Any]]:
    return lambda: {
        "down_intrablock_additional_residuals": [torch.randn(2, *shape) for shape in shapes]
    }


CASES = [
    _case("sd1", layers_per_block=2, sample_size=12),
    _case("number", more=lambda: {"timestep": torch.tensor(7)}, freq_shift=1),
    _case(
        "sd2", (9, 7), **WIDE, upcast_attention=True, downsample_padding=0, norm_eps=1e-6,
        flip_sin_to_cos=False,
    ),
    _case("sdxl", (6, 10), lambda: {"added_cond_kwargs": added()}, **WIDE, **TIMED),
    _case("masked", (5, 8), more=_masked, layers_per_block=(1, 2)),
    _case(
        "upscaler", in_channels=7, only_cross_attention=(True, False), num_class_embeds=30,
        more=lambda: {**_masked(), "class_labels": torch.tensor([20, 3])},
    ),
    _case(
        "all-text", only_cross_attention=True, class_embed_type="timestep", act_fn="gelu",
        more=lambda: {"class_labels": torch.tensor([20, 3])},
    ),
    _case(
        "projected-class", class_embed_type="projection", projection_class_embeddings_input_dim=9,
        more=lambda: {"class_labels": torch.randn(2, 9)}, mid_block_scale_factor=2.0,
    ),
    _case(
        "identity-class", class_embed_type="identity", mid_block_type="UNetMidBlock2D",
        more=lambda: {"class_labels": torch.randn(2, 32)}, resnet_time_scale_shift="scale_shift",
    ),
    _case(
        "distilled", time_cond_proj_dim=10, encoder_hid_dim=9, text=9, conv_in_kernel=1,
        conv_out_kernel=5, more=lambda: {"timestep_cond": torch.randn(2, 10)}, dropout=0.1,
    ),
    _case(
        "uneven", mid_block_type=None, encoder_hid_dim_type="text_proj", encoder_hid_dim=12,
        transformer_layers_per_block=((1, 2), 1),
        reverse_transformer_layers_per_block=(1, (2, 1, 3)),
    ),
    _case("controlled", more=_controlled),
    _case("adapted", more=_adapted((8, 8, 12), (16, 4, 6)), layers_per_block=1),
    _case(
        "adapted-xl", (8, 12), _adapted((8, 4, 6), (16, 4, 6), (16, 2, 3), (16, 2, 3)), **WIDE
    ),
    _case(
        "both", more=lambda: {**_controlled(), **_adapted((8, 8, 12), (16, 4, 6))()},
    ),
]  # fmt: skip

SD: dict[str, Any] = {
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
}
SDXL: dict[str, Any] = {
    **SD,
    "addition_embed_type": "text_time",
    "addition_embed_type_num_heads": 64,
    "addition_time_embed_dim": 256,
    "attention_head_dim": [5, 10, 20],
    "block_out_channels": [320, 640, 1280],
    "class_embed_type": None,
    "class_embeddings_concat": False,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
    "cross_attention_dim": 2048,
    "cross_attention_norm": None,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "dual_cross_attention": False,
    "encoder_hid_dim": None,
    "encoder_hid_dim_type": None,
    "mid_block_only_cross_attention": None,
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "num_attention_heads": None,
    "num_class_embeds": None,
    "only_cross_attention": False,
    "projection_class_embeddings_input_dim": 2816,
    "resnet_out_scale_factor": 1.0,
    "resnet_skip_time_act": False,
    "resnet_time_scale_shift": "default",
    "sample_size": 128,
    "time_cond_proj_dim": None,
    "time_embedding_act_fn": None,
    "time_embedding_dim": None,
    "time_embedding_type": "positional",
    "timestep_post_act": None,
    "transformer_layers_per_block": [1, 2, 10],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "upcast_attention": None,
    "use_linear_projection": True,
}
REAL: dict[str, dict[str, Any]] = {
    "stable-diffusion-v1-5": SD,
    "stable-diffusion-2-1": {
        **SD,
        "attention_head_dim": [5, 10, 20, 20],
        "cross_attention_dim": 1024,
        "dual_cross_attention": False,
        "num_class_embeds": None,
        "only_cross_attention": False,
        "sample_size": 96,
        "upcast_attention": True,
        "use_linear_projection": True,
    },
    "stable-diffusion-xl-base-1.0": SDXL,
}
