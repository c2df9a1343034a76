"""Cases of `DiTTransformer2DModel`."""

from typing import Any

import torch
from torch import Tensor

from diffusion.hub.layer.patch import unpatch
from diffusion.hub.net.dit import DiTTransformer2DModel
from diffusion.hub.part import Part

from ..parity import Case

TINY = {
    "num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "sample_size": 8,
    "num_embeds_ada_norm": 5,
}  # fmt: skip

LARGE = {
    "_class_name": "Transformer2DModel", "_diffusers_version": "0.12.0.dev0",
    "activation_fn": "gelu-approximate", "attention_bias": True, "attention_head_dim": 72,
    "cross_attention_dim": None, "dropout": 0.0, "in_channels": 4, "norm_elementwise_affine": False,
    "norm_num_groups": 32, "norm_type": "ada_norm_zero", "num_attention_heads": 16,
    "num_embeds_ada_norm": 1000, "num_layers": 28, "num_vector_embeds": None,
    "only_cross_attention": False, "out_channels": 8, "patch_size": 2, "sample_size": 32,
    "upcast_attention": False, "use_linear_projection": False,
}  # fmt: skip
"""DiT-XL/2 at 256×256, as its file says."""


def inputs(height: int = 8, width: int = 8, channels: int = 4) -> Any:
    """Two latents: of a class, and of the null class."""

    def made() -> dict[str, Tensor]:
        return {
            "hidden_states": torch.randn(2, channels, height, width),
            "timestep": torch.tensor([3, 712]),
            "class_labels": torch.tensor([1, 5]),
        }

    return made


def oblong(module: Any, given: dict[str, Any]) -> Tensor:
    """Theirs folds every picture into a square: its tokens are laid out again."""
    if isinstance(module, Part):
        found: Tensor = module(**given)
        return found
    square = module(**given, return_dict=False)[0]
    b, c, side = len(square), square.shape[1], square.shape[2] // 2
    patches = square.view(b, c, side, 2, side, 2).permute(0, 2, 4, 3, 5, 1).flatten(1, 2)
    height, width = given["hidden_states"].shape[2:]
    return unpatch(patches.flatten(2), (height // 2, width // 2), (2, 2))


CASES = [
    Case("plain", DiTTransformer2DModel, TINY, inputs()),
    Case("variance", DiTTransformer2DModel, TINY | {"out_channels": 8}, inputs()),
    Case("other-size", DiTTransformer2DModel, TINY, inputs(14, 14)),
    Case("oblong", DiTTransformer2DModel, TINY, inputs(4, 16), oblong),
    Case(
        "patch-3", DiTTransformer2DModel,
        TINY | {"patch_size": 3, "in_channels": 3, "sample_size": 10}, inputs(9, 9, 3),
    ),
    Case(
        "affine", DiTTransformer2DModel,
        TINY | {"norm_elementwise_affine": True, "norm_eps": 1e-3, "attention_bias": False},
        inputs(),
    ),
    *(
        Case(kind, DiTTransformer2DModel, TINY | {"activation_fn": kind, "dropout": 0.1}, inputs())
        for kind in ("gelu", "geglu", "geglu-approximate", "swiglu", "linear-silu")
    ),
]  # fmt: skip
