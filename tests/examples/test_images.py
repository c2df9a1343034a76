"""The picture examples in their quick form: they learn, measure, write, and resume."""

import json
import math
from pathlib import Path

import pytest
import torch
from PIL import Image

import fashion
import joint_digits
from diffusion import Model
from diffusion.data.source import open_source
from sources import fashion as clothes

pytestmark = pytest.mark.usefixtures("apart")


def test_fashion_resumes_learns_and_measures() -> None:
    stopped = fashion.build(clothes(quick=True), epochs=2, quick=True)
    first = next(stopped.train(2, folder="runs/test"))

    result = fashion.main(["--quick", "--folder", "runs/test"])
    assert result["loss"][0] == first, "the first epoch was not trained again"
    assert len(result["loss"]) == 2
    assert result["loss"][1] < 0.95 * result["loss"][0]
    # A net that has hardly learned needs about the 8 bits of a byte.
    assert 2 < result["bound"]["bits_per_pixel"] < 12
    assert result["gaussians"]["accuracy"] > 0.3, "the judge reads the baseline far above chance"
    assert result["gaussians"]["frechet"] > result["gaussians"]["real_frechet"] > 0
    assert json.loads(Path("out/fashion/result.json").read_text()) == result

    picture = Image.open("out/fashion/samples.png")
    assert picture.width > 10 * 28
    assert picture.height > 10 * 28
    model = Model.load("out/fashion/model")
    drawn = model.sample(["Bag", "Coat"], steps=2, seed=0)
    assert drawn.shape == (2, 1, 28, 28)
    assert drawn.dtype == torch.uint8


def test_fashion_baseline_has_the_moments_of_the_classes() -> None:
    pictures = clothes(quick=True)
    drawn = fashion.gaussians(pictures.images, pictures.labels, each=200)
    assert drawn.shape == (2000, 1, 28, 28)
    real = torch.stack(
        [pictures.images[pictures.labels == i].float().mean(0) for i in range(1, 11)]
    )
    own = drawn.reshape(10, 200, 1, 28, 28).float().mean(1)
    # Clamping to 0..255 moves the means a little.
    assert (own - real).abs().mean() < 10
    assert (own - real.roll(1, 0)).abs().mean() > 30


def test_joint_digits_resumes_learns_and_measures() -> None:
    stopped = joint_digits.build(open_source("digits"), epochs=4, quick=True)
    first = next(stopped.train(4, folder="runs/test"))

    result = joint_digits.main(["--quick", "--folder", "runs/test"])
    assert result["loss"][0] == first, "the first epoch was not trained again"
    assert len(result["loss"]) == 4
    assert result["loss"][3] < 0.8 * result["loss"][0]
    assert result["label given picture"]["accuracy"] > 0.3, "chance is 0.1"
    assert math.isfinite(result["picture given label"]["frechet"])
    assert json.loads(Path("out/joint_digits/result.json").read_text()) == result
    for name in ("label", "picture", "both"):
        picture = Image.open(f"out/joint_digits/{name}.png")
        assert picture.width > 8 * 8
        assert picture.height > 10 * 8


def test_joint_digits_given_parts_stay_and_the_folder_loads() -> None:
    digits = open_source("digits")
    joint_digits.build(digits, epochs=1, quick=True).save("model")
    model = Model.load("model", custom=[joint_digits.Both])
    label = torch.arange(10)[:, None]
    drawn = model.sample(given={"label": label}, steps=3, seed=0)
    assert torch.equal(drawn["label"], label)
    pictures = digits.w_test[:5]
    read = model.sample(given={"image": pictures}, steps=3, seed=0)
    assert torch.equal(read["image"], pictures)
    both = model.sample(batch=64, steps=3, seed=0)
    assert int(both["label"].max()) < joint_digits.MASK, "every label was unmasked"
