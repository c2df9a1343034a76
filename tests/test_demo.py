"""A quick form of the demonstration leaves every file, and each is what it says."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from diffusion import Model, demo
from diffusion.cli.recipe import Recipe
from diffusion.cli.train import assemble
from diffusion.data.source import digits
from diffusion.errors import InputError


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "demo"
    return out, demo.run(out, plan=demo.QUICK)


def test_pictures(quick):
    out, _ = quick
    for name in ("samples.png", "denoising.gif", "loss.png"):
        with Image.open(out / name) as file:
            file.load()
            assert min(file.size) > 150
    with Image.open(out / "denoising.gif") as file:
        assert file.n_frames == demo.QUICK.steps + 1
    assert (out / "denoising.gif").stat().st_size < 3_000_000


def test_numbers(quick):
    out, quality = quick
    found = json.loads((out / "quality.json").read_text("utf-8"))
    assert found["accuracy"] == quality.accuracy
    assert found["samples"] == found["count"] == demo.QUICK.samples
    assert found["epochs"] == 1
    assert 0 <= quality.accuracy <= 1
    assert quality.real_frechet < quality.frechet


def test_model_knows_its_classes_by_name(quick):
    out, _ = quick
    model = Model.load(out / "model")
    samples = model.sample(y="3", batch=2, steps=2, seed=0)
    assert samples.shape == (2, 1, 8, 8)
    assert samples.dtype == torch.uint8
    assert int(samples.max()) <= 16
    by_id = model.sample(y=torch.tensor([4, 4]), steps=2, seed=0)
    assert torch.equal(samples, by_id)


def test_recipe_is_the_same_model(quick):
    recipe = Recipe(quick[0] / "digits.yaml")
    model, _ = assemble(recipe)
    assert demo.assemble(digits(), demo.QUICK.epochs).diff(model) == {}
    assert recipe.train["epochs"].value == demo.QUICK.epochs


def test_it_can_be_run_again_in_the_same_folder(quick, capsys):
    out, quality = quick
    assert demo.run(out, plan=demo.QUICK) == quality  # the seed determines the result
    said = capsys.readouterr().out
    assert "held out" in said
    assert "--label 3" in said


def test_a_slow_machine_trains_for_fewer_epochs():
    clock = demo._Clock()
    assert demo._affordable(digits(), 80, 1e-9, clock) == 1
    assert demo._affordable(digits(), 2, 1e9, clock) == 2


def test_time_must_be_positive(tmp_path: Path):
    with pytest.raises(InputError, match=r"demo\.minutes"):
        demo.run(tmp_path, minutes=0)
