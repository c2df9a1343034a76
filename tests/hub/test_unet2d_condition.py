"""`UNet2DConditionModel` with a ControlNet and an adapter, and bad input to it."""

import pytest
import torch

from diffusion.errors import FileError, InputError
from diffusion.hub.net.controlnet import ControlNetModel
from diffusion.hub.net.t2i import T2IAdapter
from diffusion.hub.net.unet2d_condition import UNet2DConditionModel

from .cases.unet2d_condition import SMALL, TIMED, WIDE

NESTED = {"transformer_layers_per_block": ((1, 2), 1)}


def _inputs():
    return {
        "sample": torch.randn(2, 4, 8, 12),
        "timestep": torch.tensor([3, 900]),
        "encoder_hidden_states": torch.randn(2, 7, 12),
    }


def test_a_fresh_controlnet_changes_nothing_and_an_adapter_fits():
    config = {k: v for k, v in SMALL.items() if k != "up_block_types"}
    control = ControlNetModel.build({**config, "conditioning_embedding_out_channels": (4, 4)})
    net, inputs = UNet2DConditionModel.build(SMALL), _inputs()
    down, middle = control(**inputs, controlnet_cond=torch.rand(2, 3, 16, 24))
    steered = {
        "down_block_additional_residuals": down,
        "mid_block_additional_residual": middle,
    }
    torch.testing.assert_close(net(**inputs, **steered), net(**inputs), rtol=0, atol=0)
    features = T2IAdapter(channels=(8, 16), downscale_factor=2)(torch.rand(2, 3, 16, 24))
    adapted = net(**inputs, down_intrablock_additional_residuals=features)
    assert (adapted != net(**inputs)).any()


def test_masked_tokens_are_not_looked_at():
    net, inputs = UNet2DConditionModel.build(SMALL), _inputs()
    mask = torch.ones(2, 7)
    mask[:, 5:] = 0
    inputs["encoder_hidden_states"][:, 5:] = 100
    seen = net(**inputs, encoder_attention_mask=mask)
    inputs["encoder_hidden_states"] = inputs["encoder_hidden_states"][:, :5]
    torch.testing.assert_close(seen, net(**inputs))


@pytest.mark.parametrize("config", [SMALL, {**SMALL, **WIDE}])
def test_every_parameter_learns(config):
    net = UNet2DConditionModel.build(config)
    net(**_inputs()).square().mean().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_it_compiles_to_one_graph():
    one = {"down_block_types": ("CrossAttnDownBlock2D",), "up_block_types": ("UpBlock2D",)}
    one |= {"block_out_channels": (8,), "layers_per_block": 1, "mid_block_type": "UNetMidBlock2D"}
    net, inputs = UNet2DConditionModel.build({**SMALL, **one}), _inputs()
    inputs["encoder_attention_mask"] = torch.ones(2, 7)
    inputs["down_intrablock_additional_residuals"] = [torch.randn(2, 8, 8, 12)]
    with torch.no_grad():
        compiled = torch.compile(net, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(**inputs), net(**inputs))


def test_the_config_comes_back():
    net = UNet2DConditionModel.build({**SMALL, "cross_attention_norm": None})
    assert UNet2DConditionModel.build(net.config()).config() == net.config()
    assert net.config()["dual_cross_attention"] is False


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"cross_atention_dim": 8}, "Did you mean 'cross_attention_dim'"),
        ({"dual_cross_attention": True}, "supports dual_cross_attention = False only; got True"),
        ({"num_attention_heads": 8}, "supports num_attention_heads = None only"),
        ({"attention_type": "gated"}, "supports attention_type = 'default' only"),
    ],
)
def test_bad_files(config, said):
    with pytest.raises(FileError, match=said):
        UNet2DConditionModel.build({**SMALL, **config})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"down_block_types": ("SimpleCrossAttnDownBlock2D", "DownBlock2D")}, "CrossAttnDown"),
        ({"up_block_types": ("UpBlock2D",)}, "expected 2, one for each of block_out_channels"),
        ({"mid_block_type": "UNetMidBlock2DSimpleCrossAttn"}, "mid_block_type"),
        ({"attention_head_dim": (8,)}, "attention_head_dim: expected 2 of them"),
        ({"attention_head_dim": 16}, "1 to 8 heads for 8 channels; got 16"),
        (NESTED, "The way up has reverse_transformer_layers_per_block"),
        ({"class_embed_type": "projection"}, "projection_class_embeddings_input_dim"),
        ({"class_embed_type": "simple_projection"}, "timestep, identity, projection"),
        ({"addition_embed_type": "text_time"}, "addition_time_embed_dim"),
        ({"addition_embed_type": "image"}, "addition_embed_type: expected one of text_time"),
        ({"encoder_hid_dim_type": "image_proj"}, "expected one of text_proj"),
        ({"encoder_hid_dim_type": "text_proj"}, "None without encoder_hid_dim"),
    ],
)
def test_bad_settings(config, said):
    with pytest.raises(InputError, match=said):
        UNet2DConditionModel.build({**SMALL, **config})


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"sample": torch.zeros(2, 3, 8, 12)}, r"sample \[b, 4, h, w\]"),
        ({"encoder_hidden_states": torch.zeros(2, 7, 8)}, r"encoder_hidden_states \[b, n, 12\]"),
        ({"encoder_attention_mask": torch.ones(2, 6)}, r"encoder_attention_mask \[b, n\]"),
        ({"class_labels": torch.tensor([1, 2])}, "no class_labels"),
        ({"timestep_cond": torch.zeros(2, 3)}, "time_cond_proj_dim is not set"),
        (
            {"down_intrablock_additional_residuals": [torch.zeros(1)]},
            "2 or 3 down_intrablock_additional_residuals; got 1",
        ),
        (
            {"down_block_additional_residuals": [torch.zeros(1)]},
            "6 down_block_additional_residuals; got 1",
        ),
        (
            {"down_block_additional_residuals": [torch.zeros(1)] * 6},
            "mid_block_additional_residual; got None",
        ),
        ({"mid_block_additional_residual": torch.zeros(1)}, "6 down_block_add"),
    ],
)
def test_bad_inputs(inputs, said):
    net = UNet2DConditionModel.build(SMALL)
    with pytest.raises(InputError, match=said):
        net(**{**_inputs(), **inputs})


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (None, "added_cond_kwargs with text_embeds and time_ids"),
        ({"text_embeds": torch.zeros(2, 5)}, r"got \['text_embeds'\]"),
        ({"text_embeds": torch.zeros(2, 5), "time_ids": torch.zeros(2, 2)}, r"\[2, 17\]"),
    ],
)
def test_bad_additions(added, said):
    net = UNet2DConditionModel.build({**SMALL, **TIMED})
    with pytest.raises(InputError, match=said):
        net(**_inputs(), added_cond_kwargs=added)
