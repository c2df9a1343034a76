"""Bad input to `ControlNetModel` and `T2IAdapter`."""

import pytest
import torch

from diffusion.errors import FileError, InputError
from diffusion.hub.net.controlnet import ControlNetModel
from diffusion.hub.net.t2i import T2IAdapter

from .cases.unet2d_condition import SMALL

CONTROL = {
    **{key: value for key, value in SMALL.items() if key != "up_block_types"},
    "conditioning_embedding_out_channels": (4, 4),
}


def _inputs():
    return {
        "sample": torch.randn(2, 4, 6, 6),
        "timestep": 5,
        "encoder_hidden_states": torch.randn(2, 7, 12),
        "controlnet_cond": torch.rand(2, 3, 12, 12),
    }


def test_it_learns_from_zero():
    net = ControlNetModel.build(CONTROL)
    down, middle = net(**_inputs())
    assert all((one == 0).all() for one in (*down, middle))
    sum(one.sum() for one in (*down, middle)).backward()
    assert net.controlnet_mid_block.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("config", "error", "said"),
    [
        ({"conditioning_channel": 1}, FileError, "Did you mean 'conditioning_channels'"),
        ({"class_embed_type": "timestep"}, FileError, "supports class_embed_type = None only"),
        ({"controlnet_conditioning_channel_order": "gbr"}, InputError, "rgb, bgr"),
        ({"layers_per_block": (1, 2, 3)}, InputError, "layers_per_block: expected 2 of them"),
    ],
)
def test_bad_controlnets(config, error, said):
    with pytest.raises(error, match=said):
        ControlNetModel.build({**CONTROL, **config})


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"controlnet_cond": torch.rand(2, 1, 12, 12)}, r"controlnet_cond \[b, 3, h, w\]"),
        ({"controlnet_cond": torch.rand(2, 3, 6, 6)}, "controlnet_cond of 2 times the height"),
        ({"encoder_hidden_states": torch.zeros(7, 12)}, r"encoder_hidden_states \[b, n, 12\]"),
    ],
)
def test_bad_inputs_to_a_controlnet(inputs, said):
    with pytest.raises(InputError, match=said):
        ControlNetModel.build(CONTROL)(**{**_inputs(), **inputs})


@pytest.mark.parametrize(
    ("config", "error", "said"),
    [
        ({"chanels": (8,)}, FileError, "Did you mean 'channels'"),
        ({"adapter_type": "full"}, InputError, "full_adapter, full_adapter_xl, light_adapter"),
        ({"channels": ()}, InputError, "a width or more"),
    ],
)
def test_bad_adapters(config, error, said):
    with pytest.raises(error, match=said):
        T2IAdapter.build(config)


def test_a_picture_that_does_not_fit_an_adapter():
    net = T2IAdapter(channels=(4, 4), downscale_factor=4)
    with pytest.raises(InputError, match=r"x \[b, 3, h, w\], h and w multiples of 4"):
        net(torch.zeros(1, 3, 8, 6))
