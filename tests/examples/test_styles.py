"""Styles swapped, in the quick form: the denoiser is as it was, and references are told apart."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

import clothes
import styles
from diffusion.block import Pipeline
from diffusion.sampling import weights
from sources import fashion

pytestmark = [
    pytest.mark.usefixtures("apart"),
    pytest.mark.xdist_group("sources"),  # one process fetches, once
]


def test_a_style_is_learned_beside_a_denoiser_that_stays_as_it_is() -> None:
    result = styles.main(["--quick"])
    assert json.loads(Path("out/styles/result.json").read_text()) == result
    assert result["without a reference, from the denoiser alone"] == 0
    picture = Image.open("out/styles/samples.png")
    assert picture.width > 8 * 28
    assert picture.height > 4 * 28

    plain = dict(weights(clothes.base(quick=True))[0].named_parameters())
    pipe = Pipeline.load("out/styles/pipeline.yaml", custom=[styles.Swatch])
    model = pipe["denoise"]["model"]
    frozen = {name for name, p in model.net.named_parameters() if not p.requires_grad}
    inside = {
        name.removeprefix("net.").replace(".layer.", "."): p
        for name, p in weights(model)[0].named_parameters()
        if name in frozen
    }
    assert inside.keys() == plain.keys(), "the denoiser, and nothing else, is frozen"
    assert all(torch.equal(inside[name], p) for name, p in plain.items())

    given = fashion(quick=True).test_images[:2]
    first, second = (pipe(label="Coat", style=one, seed=0) for one in given.split(1))
    none = pipe(label="Coat", seed=0)
    assert not torch.equal(first, second)
    assert not torch.equal(first, none)


def test_swatches_hold_ink_and_no_shape() -> None:
    cut = styles.Swatch()
    plain = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    plain[0, :, :14], plain[1, :, 14:] = 200, 200
    found = cut(style=plain)
    assert found.shape == (2, 1, styles.SIDE, styles.SIDE * styles.COUNT)
    assert float((found > 0).float().mean()) > 0.7, "squares of ink are chosen"
    stripes = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    stripes[:, :, ::2] = 200
    squares = cut(style=stripes)[0, 0].unflatten(1, (styles.COUNT, -1)).transpose(0, 1)
    down = squares.diff(dim=1).abs().mean((1, 2))
    assert bool((down > 1).all()), "stripes stay stripes, in every square"
    assert torch.equal(cut(style=stripes), cut(style=stripes))
    assert not torch.equal(cut(style=plain), styles.Swatch(seed=1)(style=plain))


def test_looks_are_of_what_is_no_background() -> None:
    w = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    w[:, :, 4:12, 4:12] = 102
    w[1, :, 4:12:2] = (w[1, :, 4:12:2] > 0) * 204  # every other row twice as bright
    plain, striped = styles.looks(w)
    torch.testing.assert_close(plain, torch.tensor([0.4, 0.0, 0.0, 0.0]))
    torch.testing.assert_close(striped, torch.tensor([0.6, 0.2, 0.0, 0.4]))


def test_how_alike_looks_are_is_counted_right() -> None:
    a = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    same = styles.alike(a, a)
    assert same["own reference"] == 1
    assert same["brightness"] == pytest.approx(1)
    assert styles.alike(a.roll(1, 0), a)["own reference"] < 0.1
