"""Tiny control networks of Diffusers, for the tiny Stable Diffusion, and pictures for them."""

from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import Tensor

from ...hub.pipelines import spread


def controlnet(folder: Path, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    network = spread(diffusers.ControlNetModel(
        layers_per_block=1, block_out_channels=(16, 32), norm_num_groups=8, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), cross_attention_dim=8,
        conditioning_embedding_out_channels=(4, 8),
    ))  # fmt: skip
    network.save_pretrained(folder)
    return network


def adapter(folder: Path, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    network = spread(diffusers.T2IAdapter(channels=(16, 32), num_res_blocks=1, downscale_factor=2))
    network.save_pretrained(folder)
    return network


def seen(seed: int = 3) -> Tensor:
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
