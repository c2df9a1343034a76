"""Configs and inputs that transformers of the Diffusers format do not take."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from diffusion.errors import DiffusionError
from diffusion.hub.net.dit import DiTTransformer2DModel, transformer2d
from diffusion.hub.part import Part

from .cases import dit, flux, pixart, sd3, wan
from .test_transformers import fresh

TEXT = {"encoder_hidden_states": torch.zeros(2, 5, 11)}

WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: transformer2d({"norm_type": "layer_norm"}), "ada_norm_zero or ada_norm_single"),
    (lambda: transformer2d({}), "DiT and PixArt; got 'layer_norm'"),
    (lambda: DiTTransformer2DModel.build({"num_layer": 2}), "Did you mean 'num_layers'"),
    (lambda: DiTTransformer2DModel.build({"upcast_attention": True}), "upcast_attention = False"),
    (lambda: DiTTransformer2DModel.build({"num_vector_embeds": 8}), "no setting 'num_vector_emb"),
    (lambda: DiTTransformer2DModel.build({"cross_attention_dim": 8}), "no setting 'cross_atten"),
    (lambda: DiTTransformer2DModel.build({"norm_type": "ada_norm_single"}), "'ada_norm_zero' only"),
    (lambda: DiTTransformer2DModel.build({"num_layers": "many"}), "num_layers"),
    (lambda: build(dit, activation_fn="geglu-aproximate"), "Did you mean 'geglu-approximate'"),
    (lambda: build(dit, attention_head_dim=9), "multiple of 4"),
    (lambda: build(pixart, attention_type="gated"), "attention_type"),
    (lambda: build(pixart, num_attention_heads=2, use_additional_conditions=True), "3 divides"),
    (lambda: build(sd3, qk_norm="layer_norm"), "None, rms_norm"),
    (lambda: build(sd3, caption_projection_dim=20), "attention_head_dim = 16"),
    (lambda: build(flux, axes_dims_rope=(4, 4, 4)), "add up to attention_head_dim = 16"),
    (lambda: build(wan, qk_norm=None), "rms_norm_across_heads"),
    (lambda: build(wan, image_dim=6), "added_kv_proj_dim: expected 32"),
    (lambda: call(dit, hidden_states=torch.zeros(2, 3, 8, 8)), r"hidden_states \[b, 4, height, w"),
    (lambda: call(dit, hidden_states=torch.zeros(2, 4, 9, 8)), "multiples of 2, 2.*Pad or crop"),
    (lambda: call(dit, hidden_states=torch.zeros(2, 4, 0, 8)), "multiples of 2, 2"),
    (lambda: call(dit, hidden_states=torch.zeros(2, 4, 8, 8).long()), "floating hidden_states"),
    (lambda: call(dit, timestep=torch.tensor(3)), r"timestep \[2\] or \[1\]"),
    (lambda: call(dit, class_labels=torch.zeros(3)), r"class_labels \[2\]"),
    (lambda: call(pixart, **TEXT), r"encoder_hidden_states \[2, n, 10\]; got float32 \[2, 5, 11\]"),
    (lambda: call(pixart, encoder_attention_mask=torch.ones(2, 4)), r"\[2, 5\] or \[2, 1, 5\]"),
    (
        lambda: call(pixart, 4, added_cond_kwargs=None),
        r"added_cond_kwargs\['resolution'\] \[2, 2\]",
    ),
    (lambda: call(sd3, **TEXT), r"encoder_hidden_states \[2, m, 10\]"),
    (lambda: call(sd3, hidden_states=torch.zeros(2, 4, 20, 8)), "at most 9 patches"),
    (lambda: call(sd3, hidden_states=torch.zeros(2, 4, 8)), "height, width"),
    (lambda: call(sd3, pooled_projections=None), r"pooled_projections \[2, 6\]; got NoneType"),
    (lambda: call(flux, hidden_states=torch.zeros(2, 16, 4)), r"hidden_states \[b, n, 8\]"),
    (lambda: call(flux, img_ids=torch.zeros(1, 16, 3)), r"img_ids \[16, 3\]"),
    (lambda: call(flux, txt_ids=torch.zeros(4, 3)), r"txt_ids \[5, 3\]"),
    (lambda: call(flux, guidance=torch.ones(2)), "guidance_embeds = false"),
    (lambda: call(flux, 1, guidance=None), r"guidance \[2\]"),
    (lambda: call(wan, hidden_states=torch.zeros(2, 4, 3, 5, 4)), "multiples of 1, 2, 2"),
    (lambda: call(wan, hidden_states=torch.zeros(2, 4, 8, 8)), "frames, height, width"),
    (lambda: call(wan, timestep=torch.zeros(2, 11)), r"timestep \[2\], or \[2, 12\]"),
    (lambda: call(wan, encoder_hidden_states_image=torch.zeros(2, 9, 6)), "image_dim = null"),
    (lambda: call(wan, 5, encoder_hidden_states_image=None), r"image \[2, k, 6\]; got NoneType"),
    (lambda: call(wan, 6, encoder_hidden_states_image=torch.zeros(2, 9, 6)), r"\[4, 9, 6\]"),
]


@pytest.mark.parametrize(("act", "said"), WRONG)
def test_bad_input_is_named(act: Callable[[], Any], said: str) -> None:
    with pytest.raises(DiffusionError, match=said):
        act()


def build(cases: Any, **changed: Any) -> Part:
    """The plain network of a class, with other settings."""
    found: Part = cases.CASES[0].cls.build(cases.TINY | changed)
    return found


def call(cases: Any, case: int = 0, **changed: Any) -> Any:
    """A case, called with other inputs."""
    net, given = fresh(cases.CASES[case])
    return net(**given | changed)
