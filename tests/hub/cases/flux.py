"""Cases of `FluxTransformer2DModel`."""

from typing import Any

import torch
from torch import Tensor

from diffusion.hub.net.flux import FluxTransformer2DModel

from ..parity import Case

TINY = {
    "num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 2, "num_single_layers": 2,
    "in_channels": 8, "joint_attention_dim": 10, "pooled_projection_dim": 6,
    "axes_dims_rope": (4, 6, 6),
}  # fmt: skip

GUIDED = TINY | {"guidance_embeds": True}

DEV = {
    "attention_head_dim": 128, "guidance_embeds": True, "in_channels": 64,
    "joint_attention_dim": 4096, "num_attention_heads": 24, "num_layers": 19,
    "num_single_layers": 38, "patch_size": 1, "pooled_projection_dim": 768,
}  # fmt: skip
"""FLUX.1-dev."""

SCHNELL = DEV | {"guidance_embeds": False}


def ids(height: int, width: int) -> Tensor:
    """Where patches are: `[height·width, 3]`, of which the first axis is unused."""
    places = torch.cartesian_prod(torch.arange(height), torch.arange(width)).float()
    return torch.nn.functional.pad(places, (1, 0))


def inputs(height: int = 4, width: int = 4, channels: int = 8, **more: Any) -> Any:
    """The patches of two latents, with five tokens of text, and `more`."""

    def made() -> dict[str, Any]:
        return {
            "hidden_states": torch.randn(2, height * width, channels),
            "encoder_hidden_states": torch.randn(2, 5, 10),
            "pooled_projections": torch.randn(2, 6),
            "timestep": torch.tensor([0.003, 0.7125]),
            "img_ids": ids(height, width),
            "txt_ids": torch.zeros(5, 3),
        } | {name: make() for name, make in more.items()}

    return made


def strength() -> Tensor:
    """A guidance for each of two latents."""
    return torch.tensor([3.5, 1.0])


def controls(count: int) -> Any:
    """What a ControlNet of `count` blocks says about 16 patches."""
    return lambda: [torch.randn(2, 16, 32) for _ in range(count)]


CASES = [
    Case("schnell", FluxTransformer2DModel, TINY, inputs()),
    Case("dev", FluxTransformer2DModel, GUIDED, inputs(guidance=strength)),
    Case("oblong", FluxTransformer2DModel, TINY, inputs(3, 7)),
    Case(
        "fill", FluxTransformer2DModel, TINY | {"in_channels": 12, "out_channels": 8},
        inputs(channels=12),
    ),
    Case("patch", FluxTransformer2DModel, TINY | {"patch_size": 2}, inputs()),
    Case("axes", FluxTransformer2DModel, TINY | {"axes_dims_rope": (8, 4, 4)}, inputs()),
    Case(
        "control", FluxTransformer2DModel, TINY | {"num_layers": 3, "num_single_layers": 5},
        inputs(
            controlnet_block_samples=controls(2), controlnet_single_block_samples=controls(2),
        ),
    ),
    Case(
        "control-repeat", FluxTransformer2DModel, TINY | {"num_layers": 5},
        inputs(controlnet_block_samples=controls(2), controlnet_blocks_repeat=lambda: True),
    ),
]  # fmt: skip
