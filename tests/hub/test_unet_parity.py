"""U-Nets, ControlNets and adapters beside those of Diffusers."""

import pytest
import torch

from diffusion.hub.net.unet1d import UNet1DModel
from diffusion.hub.net.unet2d import UNet2DModel
from diffusion.hub.net.unet2d_condition import UNet2DConditionModel

from .cases import controlnet, unet1d, unet2d, unet2d_condition
from .parity import FP32, gaps, shapes

REAL = {
    **{name: (UNet2DModel, config) for name, config in unet2d.REAL.items()},
    **{name: (UNet2DConditionModel, config) for name, config in unet2d_condition.REAL.items()},
    **{name: (UNet1DModel, config) for name, config in unet1d.REAL.items()},
    **controlnet.REAL,
}
COUNTS = {
    "google/ddpm-cifar10-32": 35_746_307,
    "google/ddpm-celebahq-256": 113_673_219,
    "stable-diffusion-v1-5": 859_520_964,
    "stable-diffusion-2-1": 865_910_724,
    "stable-diffusion-xl-base-1.0": 2_567_463_684,
    "lllyasviel/sd-controlnet-canny": 361_279_120,
}
"""Parameters, as published."""


@pytest.mark.parametrize(
    "case",
    [*unet2d.CASES, *unet2d_condition.CASES, *controlnet.CASES, *unet1d.CASES],
    ids=str,
)
def test_the_same_output(case):
    found = gaps(case)
    assert found.fp32 <= FP32
    assert found.ours_bf16 <= 1.5 * found.theirs_bf16 + 1e-3


@pytest.mark.parametrize("case", unet2d.EXACT, ids=str)
def test_the_same_output_where_diffusers_fails_in_bfloat16(case):
    assert gaps(case, half=False).fp32 <= FP32


@pytest.mark.parametrize("name", REAL)
def test_the_keys_and_shapes_of_real_networks(name):
    shapes(*REAL[name])


@pytest.mark.parametrize("name", COUNTS)
def test_the_size_of_real_networks(name):
    cls, config = REAL[name]
    with torch.device("meta"):
        net = cls.build(config)
    assert sum(parameter.numel() for parameter in net.parameters()) == COUNTS[name]
