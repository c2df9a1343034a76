"""`diffusion sample` from pictures, around known parts, and after a prefix."""

import numpy as np
import pytest
import torch
from PIL import Image

import diffusion
from diffusion import data, net, noise, schedule
from diffusion.base import Net
from diffusion.cli.given import Given, options
from diffusion.errors import MismatchError

QUICK = ("--steps", "3")


def picture(name: str, value: int, size: tuple[int, int] = (16, 16), mode: str = "L") -> str:
    Image.new(mode, size, value if mode == "L" else (value,) * 3).save(name)
    return name


def drawn(there, *words: str, out: str = "given.npz") -> np.ndarray:
    answer = there("sample", "run", "-o", out, *words)
    assert answer.code == 0, answer.error
    return np.load(out)["w"]


def test_a_start_of_little_strength_is_what_comes_out(there):
    picture("half.png", 136, mode="RGB")  # of 255, level 8.5 of 16
    w = drawn(there, "--start", "half.png", "--strength", "0.001", "--steps", "50")
    assert w.shape == (16, 1, 8, 8)
    assert set(np.unique(w)) <= {8, 9}
    far = drawn(there, "--start", "half.png", "--strength", "1", "-n", "2", *QUICK)
    plain = drawn(there, "-n", "2", *QUICK)
    # Noised to T nothing is left of it, on straight paths.
    assert far.shape == (2, 1, 8, 8)
    assert np.unique(far).size > 2
    assert np.unique(plain).size > 2


def test_as_many_samples_as_there_are_pictures_or_in_turn(there):
    folder = there.folder / "starts"
    folder.mkdir(exist_ok=True)
    for i, value in enumerate((0, 128, 255)):
        picture(str(folder / f"{i}.png"), value)
    words = ("--start", "starts", "--strength", "0.001", "--steps", "50")
    assert drawn(there, *words)[:, 0, 0, 0].tolist() == [0, 8, 16]
    assert drawn(there, *words, "-n", "5")[:, 0, 0, 0].tolist() == [0, 8, 16, 0, 8]
    assert drawn(there, "--start", "pictures.npz", *QUICK).shape[0] == 16


def test_white_of_a_mask_is_kept(there):
    picture("grey.png", 68)  # level 4.3
    mask = Image.new("L", (16, 16), 0)
    mask.paste(255, (0, 0, 8, 16))
    mask.save("mask.png")
    w = drawn(there, "--known", "grey.png", "--mask", "mask.png", "-n", "3", *QUICK)
    assert (w[..., :4] == 4).all()
    assert (w[..., 4:] != 4).any()
    kept = np.zeros((8, 8), dtype=bool)
    kept[0] = True
    np.save("row.npy", kept)
    w = drawn(there, "--known", "grey.png", "--mask", "row.npy", "-n", "3", *QUICK)
    assert (w[:, :, 0] == 4).all()
    assert (w[:, :, 1:] != 4).any()


def test_text_continues_a_prefix_and_fills_gaps(there):
    answer = there("sample", "runs/text", "-n", "3", "--prefix", "abc ", *QUICK)
    assert answer.code == 0, answer.error
    lines = (answer.out.rstrip("\n") + "\n").split("\n---\n")
    assert all(line.startswith("abc ") for line in lines)
    there.write("known.txt", "abc de.\n")
    there.write("mask.txt", "___ xxx_\n")
    words = ("--known", "known.txt", "--mask", "mask.txt", "-o", "filled.npz", *QUICK)
    answer = there("sample", "runs/text", "-n", "4", *words)
    assert answer.code == 0, answer.error
    assert (np.load("filled.npz")["w"][:, 3:7] == [ids(" de.")]).all()
    answer = there("sample", "runs/text", "-n", "2", "--start", "known.txt", *QUICK)
    assert answer.code == 0, answer.error


def ids(text: str) -> list[int]:
    return [sorted(set("abc de.\n")).index(character) for character in text]


WRONG = {
    ("--strength", "0.5"): "--strength says how much noise --start gets: give both",
    ("--known", "grey.png"): "--mask says where they are kept: give both",
    ("--start", "nowhere.png"): "--start nowhere.png: data source: no file, folder or data set",
    ("--start", "broken.png"): "--start broken.png: not a readable picture",
    ("--start", "text.txt"): "--start text.txt: the model and the source do not fit",
    ("--start", "grey.png", "--strength", "2"): "strength: expected a share of time in (0, 1]",
    ("--known", "grey.png", "--mask", "no.png"): "--mask no.png: no such file",
    ("--known", "grey.png", "--mask", "m.txt"): "--mask m.txt: text: expected the 1 characters",
    ("--known", "grey.png", "--mask", "w.npy"): "--mask w.npy: array: expected booleans",
    ("--known", "grey.png", "--mask", "s.npy"): "mask: shape [3, 3] does not broadcast",
    ("--prefix", "ab"): "--prefix: this model's samples are no text",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_does_not_fit_is_told_in_a_line(there, words):
    picture("grey.png", 68)
    there.write("broken.png", "no picture")
    there.write("m.txt", "ab")
    np.save("w.npy", np.zeros((8, 8)))
    np.save("s.npy", np.zeros((3, 3), dtype=bool))
    answer = there("sample", "run", "-n", "2", *words, *QUICK)
    assert answer.code == 1, answer.exception
    assert WRONG[words] in answer.error
    assert len(answer.error.strip().splitlines()[-1:]) == 1


TEXT = {
    ("--prefix", "xyz"): "--prefix: expected characters of '\\n .abcde'; got xyz",
    ("--prefix", "abc abc a"): "--prefix: expected 1 to 8 characters, the length of a text; got 9",
    ("--start", "grey.png"): "--start grey.png: the model makes samples of shape [8]",
    ("--known", "text.txt", "--mask", "grey.png"): "a picture masks pictures",
    ("--prefix", "a", "--known", "text.txt", "--mask", "grey.png"): "give one of the two",
}


@pytest.mark.parametrize("words", TEXT, ids=" ".join)
def test_what_does_not_fit_text_is_told(there, words):
    picture("grey.png", 68)
    answer = there("sample", "runs/text", "-n", "2", *words, *QUICK)
    assert answer.code == 1, answer.exception
    assert TEXT[words] in answer.error


class Both(Net):
    """One layer for each of two modalities."""

    def __init__(self):
        self.a, self.b = torch.nn.Linear(3, 3), torch.nn.Linear(2, 2)

    def forward(self, x, y, t):
        return {"a": self.a(x["a"])[None], "b": self.b(x["b"])[None]}


def test_a_joint_model_says_where_to_turn(tmp_path):
    w = {"a": torch.randn(8, 3), "b": torch.randn(8, 2)}
    parts = {"a": data.Identity(), "b": data.Identity()}
    model = diffusion.Model(
        data.Joint(w, batch=4, parts=parts), schedule.Cosine(20),
        noise.Joint({"a": noise.Gaussian(), "b": noise.Gaussian()}), Both(),
    )  # fmt: skip
    with pytest.raises(MismatchError, match=r"--start w.npy: .*modalities a, b; in Python, model"):
        options(model, Given(start="w.npy"), 2)


def test_pictures_of_a_latent_model_keep_their_size(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = diffusion.Model(
        data.Latent(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), batch=2, autoencoder=Pooled(),
                    scale=1.0, inner=data.Images()),
        schedule.Flow(20), noise.Gaussian("velocity"), net.UNet((3, 8)),
    )  # fmt: skip
    picture("grey.png", 51, (8, 8))
    count, told = options(model, Given(start="grey.png"), None)
    assert count == 16
    assert told["start"].shape == (16, 3, 8, 8)
    assert told["strength"] == 0.5
    assert (told["start"] == 51).all()
    picture("white.png", 255, (8, 8))
    mask = options(model, Given(known="grey.png", mask="white.png"), 2)[1]["mask"]
    assert mask.shape == (2, 1, 4, 4)
    picture("large.png", 51, (16, 16))
    with pytest.raises(MismatchError, match=r"samples of shape \[3, 4, 4\], the source has \[3, 8"):
        options(model, Given(start="large.png"), 1)


class Pooled(torch.nn.Module):
    """An autoencoder without weights."""

    def encode(self, x):
        return torch.nn.functional.avg_pool2d(x, 2)

    def decode(self, z):
        return torch.nn.functional.interpolate(z, scale_factor=2)
