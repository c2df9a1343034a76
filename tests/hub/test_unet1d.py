"""`UNet1DModel`: files before Diffusers had `time_embedding_dim`, and bad input."""

import pytest
import torch

from diffusion.errors import FileError, InputError
from diffusion.hub.net.unet1d import UNet1DModel

from .cases.unet1d import DANCE

SMALL = {"extra_in_channels": 4}


def test_files_without_the_number_of_features():
    with torch.device("meta"):
        state = UNet1DModel.build(DANCE).state_dict()
    assert state["time_proj.weight"].shape == (8,)
    assert state["down_blocks.0.resnets.0.conv_1.weight"].shape == (128, 18, 5)


def test_every_parameter_but_the_frequencies_learns():
    net = UNet1DModel.build(SMALL)
    net(torch.randn(2, 2, 24), torch.tensor([0.1, 0.7])).square().mean().backward()
    frozen = {name for name, parameter in net.named_parameters() if parameter.grad is None}
    assert frozen == {"time_proj.weight"}


@pytest.mark.parametrize(
    ("config", "error", "said"),
    [
        ({"time_embeding_dim": 4}, FileError, "Did you mean 'time_embedding_dim'"),
        ({"act_fn": "mish"}, FileError, "supports act_fn = None only; got 'mish'"),
        ({"extra_in_channels": 0}, InputError, "extra_in_channels: expected as many as"),
        ({"time_embedding_dim": 6}, InputError, "extra_in_channels: expected as many as"),
        ({"block_out_channels": (32, 32, 16)}, InputError, "32 or more for attention; got 16"),
        ({"down_block_types": ("DownResnetBlock1D",) * 3}, InputError, "DownBlock1DNoSkip"),
        ({"down_block_types": ("DownBlock1D",) * 3}, InputError, "NoSkip at full length"),
        ({"up_block_types": ("UpBlock1D",) * 2}, InputError, "up_block_types: expected 3"),
    ],
)
def test_bad_settings(config, error, said):
    with pytest.raises(error, match=said):
        UNet1DModel.build({**SMALL, **config})


@pytest.mark.parametrize("shape", [(2, 1, 24), (2, 24), (2, 2, 16), (2, 2, 28)])
def test_bad_inputs(shape):
    wanted = "n, a multiple of 8, 24 or more" if shape[:2] == (2, 2) else r"sample \[b, 2, n\]"
    with pytest.raises(InputError, match=wanted):
        UNet1DModel.build(SMALL)(torch.zeros(shape), 0.5)
