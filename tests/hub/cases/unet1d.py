"""Configs of `UNet1DModel`."""

from typing import Any

import torch

from diffusion.hub.net.unet1d import UNet1DModel

from ..parity import Case


def _case(name: str, length: int, **config: Any) -> Case:
    def inputs() -> dict[str, Any]:
        channels = config.get("in_channels", 2)
        times = torch.tensor([0.25, 0.875])
        return {"sample": torch.randn(2, channels, length), "timestep": times}

    return Case(name, UNet1DModel, config, inputs)


CASES = [
    _case("default", 24, extra_in_channels=64),
    _case(
        "dance", 112, extra_in_channels=6, time_embedding_dim=6, block_out_channels=(8, 8, 32, 64),
        down_block_types=("DownBlock1DNoSkip", "DownBlock1D", "DownBlock1D", "AttnDownBlock1D"),
        up_block_types=("AttnUpBlock1D", "UpBlock1D", "UpBlock1D", "UpBlock1DNoSkip"),
        flip_sin_to_cos=False, in_channels=1, out_channels=3, sample_rate=16000,
    ),
]  # fmt: skip

DANCE: dict[str, Any] = {
    "act_fn": None,
    "block_out_channels": [128, 128, 256, 256, *[512] * 9],
    "down_block_types": ["DownBlock1DNoSkip", *["DownBlock1D"] * 4, *["AttnDownBlock1D"] * 8],
    "downsample_each_block": False,
    "extra_in_channels": 16,
    "flip_sin_to_cos": True,
    "freq_shift": 0.0,
    "in_channels": 2,
    "layers_per_block": 1,
    "mid_block_type": "UNetMidBlock1D",
    "norm_num_groups": 8,
    "out_block_type": None,
    "out_channels": 2,
    "sample_rate": 16000,
    "sample_size": 131072,
    "time_embedding_type": "fourier",
    "up_block_types": [*["AttnUpBlock1D"] * 8, *["UpBlock1D"] * 4, "UpBlock1DNoSkip"],
    "use_timestep_embedding": False,
}
"""harmonai/maestro-150k, as published: without `time_embedding_dim`."""
REAL: dict[str, dict[str, Any]] = {"harmonai/maestro-150k": {**DANCE, "time_embedding_dim": 16}}
