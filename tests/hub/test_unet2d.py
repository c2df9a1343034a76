"""What `UNet2DModel` does beyond Diffusers, and bad input to it."""

import pytest
import torch

from diffusion.errors import FileError, InputError
from diffusion.hub.net.unet2d import UNet2DModel
from diffusion.hub.net.unet2d_condition import UNet2DConditionModel

from .cases.unet2d import SMALL

PLAIN = {
    "block_out_channels": (8, 16, 16),
    "down_block_types": ("DownBlock2D",) * 3,
    "up_block_types": ("UpBlock2D",) * 3,
    "norm_num_groups": 4,
    "mid_block_type": None,
    "in_channels": 2,
    "out_channels": 2,
}


@pytest.mark.parametrize("size", [(9, 7), (5, 12), (1, 1), (2, 3)])
def test_any_size_is_as_in_the_network_with_text(size):
    net, other = UNet2DModel.build(PLAIN), UNet2DConditionModel.build(PLAIN)
    other.load_state_dict(net.state_dict())
    x, t = torch.randn(2, 2, *size), torch.tensor([1, 40])
    text = torch.zeros(2, 1, 1280)
    torch.testing.assert_close(net(x, t), other(x, t, text))


def test_one_time_serves_the_batch():
    net, x = UNet2DModel.build(SMALL), torch.randn(3, 3, 8, 8)
    many = net(x, torch.full((3,), 7))
    for one in (7, torch.tensor(7), torch.tensor([7])):
        torch.testing.assert_close(net(x, one), many)
    assert (net(x, 7.5) != many).any()


def test_labels_as_times_in_bfloat16():
    net = UNet2DModel.build({**SMALL, "class_embed_type": "timestep"})
    x, t, y = torch.randn(2, 3, 8, 8), torch.tensor([3, 9]), torch.tensor([5, 2])
    exact = net(x, t, y)
    half = net.bfloat16()(x.bfloat16(), t, y)
    assert half.dtype == torch.bfloat16
    assert (half - exact).abs().max() < 0.05 * exact.abs().max()


def test_every_parameter_learns():
    net = UNet2DModel.build(SMALL)
    net(torch.randn(2, 3, 8, 8), torch.tensor([3, 9])).square().mean().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_the_config_comes_back():
    net = UNet2DModel.build({**SMALL, "_class_name": "UNet2DModel"})
    assert UNet2DModel.build(net.config()).config() == net.config()
    assert net.config()["attention_head_dim"] == 4


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"atention_head_dim": 8}, "Did you mean 'attention_head_dim'"),
        ({"layers_per_block": "two"}, "layers_per_block"),
    ],
)
def test_bad_files(config, said):
    with pytest.raises(FileError, match=said):
        UNet2DModel.build({**SMALL, **config})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"down_block_types": ("SkipDownBlock2D", "DownBlock2D")}, "AttnDownBlock2D.*'SkipDown"),
        ({"up_block_types": ("UpBlock2D",)}, "up_block_types: expected 2, one for each of block"),
        ({"time_embedding_type": "learned"}, "num_train_timesteps"),
        ({"time_embedding_type": "sine"}, "positional, fourier, learned"),
        ({"resnet_time_scale_shift": "spatial"}, "scale_shift"),
        ({"downsample_type": "fir"}, "conv, resnet"),
        ({"mid_block_type": "UNetMidBlock2DCrossAttn"}, "Did you mean 'UNetMidBlock2D'"),
        ({"class_embed_type": "projection"}, "timestep, identity"),
        ({"attention_head_dim": 32}, "16 or less; got 32"),
        ({"act_fn": "tanh"}, "silu"),
        ({"block_out_channels": ()}, "a width for each level"),
    ],
)
def test_bad_settings(config, said):
    with pytest.raises(InputError, match=said):
        UNet2DModel.build({**SMALL, **config})


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"sample": torch.zeros(1, 4, 8, 8)}, r"sample \[b, 3, h, w\].*float32 \[1, 4, 8, 8\]"),
        ({"sample": torch.zeros(3, 8, 8)}, r"sample \[b, 3, h, w\]"),
        ({"timestep": torch.arange(3)}, "as many as there are samples"),
        ({"class_labels": torch.tensor([1, 2])}, "no class_labels: it has no classes"),
    ],
)
def test_bad_inputs(inputs, said):
    net = UNet2DModel.build(SMALL)
    with pytest.raises(InputError, match=said):
        net(**{"sample": torch.zeros(2, 3, 8, 8), "timestep": 1, **inputs})


def test_missing_labels():
    net = UNet2DModel.build({**SMALL, "num_class_embeds": 3})
    with pytest.raises(InputError, match=r"class_labels .*got NoneType"):
        net(torch.zeros(2, 3, 8, 8), 1)


def test_sizes_that_residual_blocks_cannot_halve():
    net = UNet2DModel.build({**SMALL, "up_block_types": ("ResnetUpsampleBlock2D", "UpBlock2D")})
    with pytest.raises(InputError, match="height and width that can be halved at each level"):
        net(torch.zeros(2, 3, 9, 8), 1)
