"""Names of layers in files: facts of the published networks, and no two layers of one name."""

import pytest
import torch

from diffusion.hub.lora.keys import Key, flat, parse
from diffusion.hub.lora.names import layers, places
from diffusion.hub.net.flux import FluxTransformer2DModel
from diffusion.hub.net.pixart import PixArtTransformer2DModel
from diffusion.hub.net.sd3 import SD3Transformer2DModel
from diffusion.hub.net.unet2d_condition import UNet2DConditionModel
from diffusion.hub.net.wan import WanTransformer3DModel

from ..cases import flux, pixart, sd3, unet2d_condition, wan
from . import originals

REAL = {
    "sd1": (UNet2DConditionModel, unet2d_condition.SD, originals.SD1),
    "sdxl": (UNet2DConditionModel, unet2d_condition.SDXL, originals.SDXL),
    "flux": (FluxTransformer2DModel, flux.DEV, originals.FLUX),
    "sd3": (SD3Transformer2DModel, sd3.MEDIUM_35, originals.SD3),
    "wan": (WanTransformer3DModel, wan.T2V_1_3B, originals.WAN),
    "pixart": (PixArtTransformer2DModel, pixart.SIGMA, {}),
}


@pytest.mark.parametrize("name", REAL)
def test_the_names_of_real_networks(name):
    cls, config, known = REAL[name]
    with torch.device("meta"):
        network = cls.build(config)
    own, named = layers(network), places(network)
    assert len({flat(path) for path in own}) == len(own)
    assert all(named[flat(path)][0].path == path for path in own)
    for theirs, ours in known.items():
        assert [place.path for place in named[theirs]] == ours.split(), theirs
    if known:
        exact = {flat(path) for path in own}
        original = {p.path for k, v in named.items() if k not in exact for p in v}
        same = {"context_embedder", "patch_embedding"}  # called so there, too
        assert original | same >= own.keys()


@pytest.mark.parametrize("name", ["flux", "sd3"])
def test_fused_layers_are_cut_at_the_widths_of_ours(name):
    cls, config, known = REAL[name]
    with torch.device("meta"):
        network = cls.build(config)
    for theirs, ours in known.items():
        if " " in ours:
            cuts = [place.rows[0] for place in places(network)[theirs]]
            sizes = [len(network.get_submodule(path).weight) for path in ours.split()]
            assert [cut.stop - cut.start for cut in cuts] == sizes
            assert [cut.start for cut in cuts[1:]] == [cut.stop for cut in cuts[:-1]]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("unet.mid.to_q.lora_A.weight", ("denoiser", "mid.to_q", "down")),
        ("base_model.model.mid.to_q.lora_B.default.weight", ("denoiser", "mid.to_q", "up")),
        ("transformer.a.lora.up.weight", ("denoiser", "a", "up")),
        ("a.attn1.processor.to_q_lora.down.weight", ("denoiser", "a.attn1.processor.to_q", "down")),
        ("text_encoder.b.q_proj.lora_linear_layer.up.weight", ("text_encoder", "b.q_proj", "up")),
        ("lora_unet_mid_to_q.alpha", ("denoiser", "mid_to_q", "alpha")),
        ("lora_te_x.lora_down.weight", ("text_encoder", "x", "down")),
        ("lora_te1_x.lora_up.weight", ("text_encoder", "x", "up")),
        ("lora_te2_x.lora_mid.weight", ("text_encoder_2", "x", "mid")),
        ("lora_te3_x.dora_scale", ("text_encoder_3", "x", "dora_scale")),
        ("text_encoders.clip_l.transformer.b.alpha", ("text_encoder", "b", "alpha")),
        ("unet.a.lora_magnitude_vector", ("denoiser", "a", "magnitude")),
        ("unet.a.lora_magnitude_vector.default.weight", ("denoiser", "a", "magnitude")),
        ("diffusion_model.a.lora_down.weight", ("denoiser", "a", "down")),
        ("double_blocks.0.processor.qkv_lora2.up.weight",
         ("denoiser", "double_blocks.0.processor.qkv2", "up")),
    ],
)  # fmt: skip
def test_keys(name, key):
    assert parse(name) == Key(*key)


@pytest.mark.parametrize("name", ["a.weight", "lora_A.weight", "a.hada_w1_a", "a.lora_A.bias"])
def test_what_is_no_key(name):
    assert parse(name) is None
