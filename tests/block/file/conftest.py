"""A small pipeline with a model of its own folder."""

from pathlib import Path

import pytest
import torch

from diffusion import Model, data, hub, net, noise, sampler, schedule
from diffusion.block import Decode, Denoise, Pipeline


def tiny(seed: int = 0, **modules) -> Model:
    """A model that makes pictures of 8 by 8, with weights that are not all zero."""
    torch.manual_seed(seed)
    own = {"data": data.Images(), "schedule": schedule.Cosine(100), "noise": noise.Gaussian(),
           "net": net.UNet((1, 8)), "sampler": sampler.DDIM()}  # fmt: skip
    made = Model(**{**own, **modules}, shape=(1, 8, 8))
    for parameter in made.parts.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return made


def theirs() -> Model:
    """A model whose network is one of Diffusers'."""
    table = schedule.Linear(1000, 0.9999, 0.98)
    network = hub.net.UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8, 16),
        layers_per_block=1, norm_num_groups=4, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    return tiny(schedule=table, net=hub.Denoiser(network, table))


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A model that was saved in the folder `digits`."""
    made = tiny()
    made.save(tmp_path / "digits")
    return Model.load(tmp_path / "digits")


@pytest.fixture
def pipe(model: Model) -> Pipeline:
    """From noise to pictures."""
    return Pipeline(denoise=Denoise(model, steps=3), decode=Decode(model))
