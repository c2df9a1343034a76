"""Configs of `UNet2DModel`."""

from typing import Any

import torch

from diffusion.hub.net.unet2d import UNet2DModel

from ..parity import Case

SMALL: dict[str, Any] = {
    "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 4,
    "attention_head_dim": 4,
}


def _case(name: str, size: tuple[int, int] = (12, 20), labels: Any = None, **config: Any) -> Case:
    config = {**SMALL, **config}
    channels = config.get("in_channels", 3)

    def inputs() -> dict[str, Any]:
        made = {"sample": torch.randn(2, channels, *size), "timestep": torch.tensor([3, 9])}
        if config.get("time_embedding_type") == "fourier":
            made["timestep"] = torch.tensor([0.25, 14.0])
        return made if labels is None else {**made, "class_labels": labels()}

    return Case(name, UNet2DModel, config, inputs)


CASES = [
    _case(
        "ddpm", downsample_padding=0, freq_shift=1, flip_sin_to_cos=False, norm_eps=1e-6,
        attention_head_dim=None, sample_size=20,
    ),
    _case(
        "four-levels", (8, 24), block_out_channels=(8, 8, 16, 16), in_channels=1, out_channels=2,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    ),
    _case(
        "resnet-sampling", labels=lambda: torch.tensor([0, 4]), num_class_embeds=5,
        block_out_channels=(8, 16, 16), resnet_time_scale_shift="scale_shift",
        down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"),
        downsample_type="resnet", upsample_type="resnet", center_input_sample=True,
    ),
    _case("attention-norm", attn_norm_num_groups=2, resnet_time_scale_shift="scale_shift"),
    _case("fourier", time_embedding_type="fourier", mid_block_scale_factor=2**0.5),
    _case("learned", time_embedding_type="learned", num_train_timesteps=10, add_attention=False),
    _case(
        "old-names", down_block_types=("UNetResDownBlock2D", "UNetResAttnDownBlock2D"),
        up_block_types=("UNetResAttnUpBlock2D", "UNetResUpBlock2D"), mid_block_type=None,
        act_fn="gelu", layers_per_block=1, dropout=0.1, time_embedding_dim=24,
    ),
    _case("identity", labels=lambda: torch.randn(2, 32), class_embed_type="identity"),
]  # fmt: skip

EXACT = [_case("timestep", labels=lambda: torch.tensor([5, 2]), class_embed_type="timestep")]
"""Cases that fail in Diffusers in bfloat16."""

DDPM = {
    "act_fn": "silu",
    "attention_head_dim": None,
    "center_input_sample": False,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "in_channels": 3,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-06,
    "norm_num_groups": 32,
    "out_channels": 3,
    "time_embedding_type": "positional",
}

REAL: dict[str, dict[str, Any]] = {
    "google/ddpm-cifar10-32": {
        **DDPM,
        "block_out_channels": [128, 256, 256, 256],
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
        "sample_size": 32,
        "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    },
    "google/ddpm-celebahq-256": {
        **DDPM,
        "block_out_channels": [128, 128, 256, 256, 512, 512],
        "down_block_types": [*["DownBlock2D"] * 4, "AttnDownBlock2D", "DownBlock2D"],
        "sample_size": 256,
        "up_block_types": ["UpBlock2D", "AttnUpBlock2D", *["UpBlock2D"] * 4],
    },
    "openai/diffusers-cd_imagenet64_l2": {
        "act_fn": "silu",
        "attention_head_dim": 64,
        "attn_norm_num_groups": 32,
        "block_out_channels": [192, 384, 576, 768],
        "down_block_types": ["ResnetDownsampleBlock2D", *["AttnDownBlock2D"] * 3],
        "downsample_type": "resnet",
        "layers_per_block": 3,
        "num_class_embeds": 1000,
        "resnet_time_scale_shift": "scale_shift",
        "sample_size": 64,
        "up_block_types": [*["AttnUpBlock2D"] * 3, "ResnetUpsampleBlock2D"],
        "upsample_type": "resnet",
    },
}
