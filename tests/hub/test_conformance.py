"""What a scheduler's settings are read as passes the exams that every module passes."""

import pytest

from diffusion import guidance, schedule
from diffusion.base import Grid, Guidance, Net, Sampler, Schedule
from diffusion.check import check
from diffusion.folder.registry import library
from diffusion.hub import Denoiser
from diffusion.hub.net import UNet2DModel
from diffusion.hub.scheduler import (
    Betas,
    Boundary,
    Circle,
    Curve,
    Kept,
    Ladder,
    Large,
    Multistep,
    Quantile,
    Skipping,
    Squared,
    Straight,
)

SMALL = UNet2DModel(
    sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8, 16), layers_per_block=1,
    norm_num_groups=4, down_block_types=("DownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "UpBlock2D"),
)  # fmt: skip
MODULES = [
    Betas(), Betas(60, "scaled_linear", 0.002, 0.1), Betas(50, "squaredcos_cap_v2"), Circle(50),
    Ladder(7), Ladder(7, "linspace", whole=False), Curve(7),
    Skipping(7), Squared(7), Straight(7), Straight(7, 3.0),
    Large(), Multistep(), Kept(guidance.Threshold()), Quantile(), Boundary(),
    Denoiser(SMALL, schedule.Linear(100)),
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda module: repr(module)[:60])
def test_modules_pass(module: object) -> None:
    report = check(module)
    assert report.ok, str(report)


def test_every_module_was_examined() -> None:
    kinds = (Schedule, Sampler, Grid, Guidance, Net)
    own = {n: c for n, c in library().items() if n.startswith("hub.") and issubclass(c, kinds)}
    assert {cls.__name__ for cls in own.values()} == {type(one).__name__ for one in MODULES}
