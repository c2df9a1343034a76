"""Cases of `PixArtTransformer2DModel`."""

from typing import Any

import torch
from torch import Tensor

from diffusion.hub.net.pixart import PixArtTransformer2DModel

from ..parity import Case

TINY = {
    "num_attention_heads": 3, "attention_head_dim": 8, "num_layers": 2, "sample_size": 16,
    "cross_attention_dim": 24, "caption_channels": 10,
}  # fmt: skip

ALPHA = {
    "_class_name": "Transformer2DModel", "_diffusers_version": "0.22.0.dev0",
    "activation_fn": "gelu-approximate", "attention_bias": True, "attention_head_dim": 72,
    "attention_type": "default", "caption_channels": 4096, "cross_attention_dim": 1152,
    "double_self_attention": False, "dropout": 0.0, "in_channels": 4,
    "norm_elementwise_affine": False, "norm_eps": 1e-06, "norm_num_groups": 32,
    "norm_type": "ada_norm_single", "num_attention_heads": 16, "num_embeds_ada_norm": 1000,
    "num_layers": 28, "num_vector_embeds": None, "only_cross_attention": False, "out_channels": 8,
    "patch_size": 2, "sample_size": 128, "upcast_attention": False, "use_linear_projection": False,
}  # fmt: skip
"""PixArt-Alpha XL/2 at 1024×1024; at 512×512 `sample_size` is 64."""

SIGMA = ALPHA | {"interpolation_scale": 2, "use_additional_conditions": False}
"""PixArt-Sigma XL/2 at 1024×1024."""


def inputs(height: int = 16, width: int = 16, text: int = 10, **more: Any) -> Any:
    """Two latents, with five tokens of text, and `more`: functions that make inputs."""

    def made() -> dict[str, Any]:
        return {
            "hidden_states": torch.randn(2, 4, height, width),
            "encoder_hidden_states": torch.randn(2, 5, text),
            "timestep": torch.tensor([3, 712]),
        } | {name: make() for name, make in more.items()}

    return made


def sizes() -> dict[str, Tensor]:
    """The pictures' resolutions and aspect ratios."""
    ratios = torch.tensor([[0.75], [1.0]])
    return {"resolution": torch.tensor([[1024.0, 768.0], [512.0, 512.0]]), "aspect_ratio": ratios}


def mask(n: int) -> Any:
    """Where to look, of `n` tokens."""
    return lambda: (torch.arange(n) < torch.tensor([[n], [n // 2]])).long()


CASES = [
    Case("plain", PixArtTransformer2DModel, TINY, inputs()),
    Case("oblong", PixArtTransformer2DModel, TINY, inputs(6, 10)),
    Case(
        "masked", PixArtTransformer2DModel, TINY,
        inputs(encoder_attention_mask=mask(5), attention_mask=mask(64)),
    ),
    Case(
        "logits", PixArtTransformer2DModel, TINY,
        inputs(encoder_attention_mask=lambda: torch.randn(2, 1, 5)),
    ),
    Case(
        "sizes", PixArtTransformer2DModel, TINY | {"use_additional_conditions": True},
        inputs(added_cond_kwargs=sizes),
    ),
    Case(
        "sizes-by-default", PixArtTransformer2DModel, TINY | {"sample_size": 128},
        inputs(18, 10, added_cond_kwargs=sizes),
    ),
    Case(
        "sigma", PixArtTransformer2DModel,
        TINY | {"sample_size": 128, "use_additional_conditions": False, "interpolation_scale": 2},
        inputs(20, 12),
    ),
    Case(
        "sigma-256", PixArtTransformer2DModel, TINY | {"interpolation_scale": 0.5}, inputs(16, 12),
    ),
    Case(
        "no-projection", PixArtTransformer2DModel,
        TINY | {"caption_channels": None, "cross_attention_dim": 13, "out_channels": None},
        inputs(text=13),
    ),
    Case(
        "affine", PixArtTransformer2DModel,
        TINY | {"norm_elementwise_affine": True, "norm_eps": 1e-3, "attention_bias": False,
                "activation_fn": "geglu", "dropout": 0.1},
        inputs(),
    ),
]  # fmt: skip
