"""The example of super-resolution in its quick form, and the modules that it defines."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

import clothes
import upscale
from diffusion import Model
from diffusion.base import Batch
from diffusion.block import ClassToImage, Upscale
from diffusion.guidance.operator import Pool
from sources import fashion

pytestmark = [
    pytest.mark.usefixtures("apart"),
    pytest.mark.xdist_group("sources"),  # one process fetches, once
]


def test_both_ways_are_trained_measured_and_shown() -> None:
    result = upscale.main(["--quick"])
    assert json.loads(Path("out/upscale/result.json").read_text()) == result
    large = result["enlarged"]
    assert [*large] == ["nearest", "bicubic", "upscaler", "Observed", "real"]
    assert large["nearest"]["psnr"] < large["bicubic"]["psnr"] < large["real"]["psnr"]
    assert large["nearest"]["consistency"] == 0
    assert 0 < large["real"]["consistency"] < 0.5, "small pictures are rounded to bytes"
    assert large["real"]["frechet"] < large["bicubic"]["frechet"]
    assert [*result["drawn"]] == ["upscaler", "Observed", "one stage"]
    for name in ("samples", "stages"):
        picture = Image.open(f"out/upscale/{name}.png")
        assert picture.width > 7 * 28
        assert picture.height > 10 * 28

    low, high = upscale.stages(fashion(quick=True), quick=True)
    trained = Model.load("out/upscale-quick/high/model", custom=[upscale.Augment])
    assert all(map(torch.equal, high.net.parameters(), trained.net.parameters())), "read, not made"
    pipe = Upscale(high, 2, low=ClassToImage(low, 2, output="tensor"), output="tensor")
    assert pipe(label="Bag", seed=0).shape == (1, 1, 28, 28)


def test_the_base_model_is_trained_once_and_again_if_it_is_another() -> None:
    first = clothes.base(quick=True)
    steps = first.run.step
    again = clothes.base(quick=True)
    assert all(map(torch.equal, first.parts.parameters(), again.parts.parameters()))
    assert first.diff(again) == {}
    assert again.data.w is not None
    other = first.replace(seed=1)
    assert clothes._saved(Path("out/clothes-quick/model"), other, ()) is None
    assert clothes._saved(Path("out/clothes-quick/model"), first, ()) is not None
    assert steps == 40


def test_a_small_picture_and_back() -> None:
    """Bicubic enlargement keeps about what means made small, and nearest exactly."""
    w = fashion(quick=True).test_images[:20]
    small = upscale.shrunk(w)
    assert small.shape == (20, 1, 7, 7)
    assert small.dtype == torch.uint8
    assert (small - Pool(4)(w.float())).abs().max() <= 0.5
    for mode, most in (("nearest", 1e-6), ("bicubic", 0.1)):
        large = upscale.enlarged(small, mode)
        off = Pool(4)(large) - (small / 127.5 - 1)
        assert off.square().mean().sqrt() < most


def test_noise_of_augmentation_is_of_small_pictures_and_bounded() -> None:
    torch.manual_seed(0)
    batch = Batch.__new__(Batch)
    batch.y = y = torch.zeros(400, 1, 28, 28)
    upscale.Augment(0.3).corrupt(batch)
    assert (y == 0).all(), "on a copy"
    spread = upscale.Pool(4)(batch.y).flatten(1).std(1)
    assert 0.05 < spread.mean() < 0.15, "about the mean of uniform shares in [0, 0.3]"
    assert spread.min() < 0.02
    assert spread.max() < 0.5
    rough = batch.y.diff(dim=-1).square().mean() / batch.y.square().mean()
    assert rough < 0.5, "smooth at full size; independent pixels would have 2"


def test_fidelity_is_the_formula() -> None:
    real = torch.full((2, 1, 8, 8), 100, dtype=torch.uint8)
    w = real.clone()
    w[0] += 10
    found = upscale.fidelity(w, upscale.shrunk(real), real)
    other = 10 * torch.tensor(255**2 / 1e-3).log10()
    wanted = (10 * torch.tensor(255**2 / 100).log10() + other) / 2
    assert found["psnr"] == pytest.approx(float(wanted), abs=1e-3)
    assert found["consistency"] == pytest.approx(50**0.5, abs=1e-4)
