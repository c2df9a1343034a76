"""The example of inpainting in its quick form, and what it compares with."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import clothes
import paint
from diffusion import Model
from diffusion.block import Inpaint
from diffusion.data.source import open_source

pytestmark = pytest.mark.xdist_group("sources")  # one process fetches, once


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory):
    """A folder that the tests share, with the models that are trained there, and one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("paint"))
        yield
    torch.set_num_threads(threads)


def test_holes_are_filled_measured_and_shown() -> None:
    result = paint.main(["--quick"])
    assert json.loads(Path("out/paint/result.json").read_text()) == result
    verdicts = result["clothes"].pop("all")
    for hole in result["clothes"].values():
        for way in ("class mean", "Gaussian", "Hold", "known="):
            assert hole[way]["known off"] == 0
            assert hole[way]["rmse"] > 10
        assert hole["Gaussian"]["seam"] < hole["class mean"]["seam"]
    assert verdicts["real"]["frechet"] < verdicts["Hold"]["frechet"], "it has hardly learned"
    assert result["digits"]["Hold"]["known off"] == 0
    assert result["digits"]["Hold"]["accuracy"] > 0.3
    for name, columns in (("samples", 7), ("film", 4), ("digits", 3)):
        picture = Image.open(f"out/paint/{name}.png")
        assert picture.width > columns * 28
        assert picture.height > 10 * 28


def test_the_pipeline_is_the_block_by_hand() -> None:
    model, hole = clothes.base(quick=True), paint.holes()["middle"]
    w, frames = model.data.w[:3], list[torch.Tensor]()
    pipe = paint.by_hand(model, 5, frames)
    said = {"original": model.encode(w), "kept": ~hole, "seed": [1, 2, 3]}
    found = pipe(conditions=torch.tensor([1, 2, 3]), **said)
    whole = Inpaint(model, 5, output="tensor")
    assert torch.equal(found, whole(image=w, mask_image=hole, label=[1, 2, 3], seed=[1, 2, 3]))
    assert [tuple(one.shape) for one in frames] == [(3, 1, 28, 28)] * 5
    assert torch.equal(found[..., ~hole], w[..., ~hole])


def test_beyond_is_the_same_as_a_hole_around() -> None:
    """`Outpaint` of a crop is `Inpaint` of what lies around it: what was there is not looked at."""
    model, hole = clothes.base(quick=True), paint.holes()["16 x 16"]
    w, y = model.data.w[::40], model.data.y[::40]
    found = paint.Completing(model, model.data.w, model.data.y, 2).hold(w, y, hole, 0)
    pipe = Inpaint(model, 2, output="tensor")
    assert torch.equal(found, pipe(image=w, mask_image=hole, label=y.tolist(), seed=0))


def test_draws_given_what_is_known_have_the_law_of_regression() -> None:
    cov = torch.tensor([[2.0, 0.8, 0.3], [0.8, 1.0, -0.4], [0.3, -0.4, 1.5]], dtype=torch.float64)
    mean = torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)
    w = torch.tensor([[9.0, 0.2, 9.0]], dtype=torch.float64).expand(40_000, 3)
    rng, lost = torch.Generator().manual_seed(0), torch.tensor([True, False, True])
    made = clothes.conditional(w, lost, mean, cov, rng, error=0.0)
    assert (made[:, 1] == 0.2).all()
    gain = cov[[0, 2], 1] / cov[1, 1]
    wanted = mean[[0, 2]] + gain * (0.2 - mean[1])
    spread = cov[[0, 2]][:, [0, 2]] - gain[:, None] * cov[1, [0, 2]]
    drawn = made[:, [0, 2]]
    torch.testing.assert_close(drawn.mean(0), wanted, rtol=0, atol=0.03)
    torch.testing.assert_close(drawn.T.cov(), spread, rtol=0, atol=0.05)


def test_seams_are_jumps_where_painting_ends() -> None:
    hole = torch.zeros(4, 4, dtype=torch.bool)
    hole[:, 2:] = True
    w = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    w[..., 2] = 7
    assert paint.edges(w, hole) == 7
    w[..., 3] = 200
    assert paint.edges(w, hole) == 7, "not within what was painted"


def perturb(model: Model[Any]) -> Model[Any]:
    """One that minds what it sees, as twenty steps of training do not make it."""
    torch.manual_seed(0)
    net = copy.deepcopy(model.net)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.3)
    return model.replace(net=net, ema=None)


def test_known_tokens_are_kept_and_looked_at() -> None:
    digits = open_source("digits")
    model = perturb(paint.tokens(digits, quick=True))
    hole = torch.ones(8, 8, dtype=torch.bool)
    hole[0] = False
    w, y = torch.zeros(2, 1, 8, 8), torch.tensor([1, 2])
    made = [paint.completed(model, w + level, y, hole, 3) for level in (0, 16)]
    assert [int(one[..., 0, :].float().mean()) for one in made] == [0, 16]
    assert not torch.equal(made[0][..., 1:, :], made[1][..., 1:, :])
    assert all(int(one.max()) < paint.MASKED for one in made), "no mask is left"
