"""Grids, animations and curves: sizes, pixels, files, and errors."""

import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from diffusion.errors import DiffusionError, InputError
from diffusion.picture import animation, curve, grid


def _bytes(n: int, c: int = 1, h: int = 8, w: int = 8) -> torch.Tensor:
    draw = torch.Generator().manual_seed(n)
    return torch.randint(0, 200, (n, c, h, w), dtype=torch.uint8, generator=draw)


def _contains(image: Image.Image, picture: torch.Tensor, scale: int) -> bool:
    """Whether an enlarged picture is somewhere in the image, pixel by pixel."""
    whole = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    whole = whole.reshape(image.height, image.width, 3)
    part = picture.expand(3, -1, -1).permute(1, 2, 0)
    part = part.repeat_interleave(scale, 0).repeat_interleave(scale, 1)
    h, w = part.shape[:2]
    return any(
        torch.equal(whole[y : y + h, x : x + w], part)
        for y in range(image.height - h + 1)
        for x in range(image.width - w + 1)
        if torch.equal(whole[y, x], part[0, 0]) and torch.equal(whole[y, x : x + w], part[0])
    )


def test_every_picture_is_in_the_grid_unsmoothed():
    pictures = _bytes(5)
    image = grid(pictures, 2, labels=["one", "two", "three"], scale=3, title="Five")
    assert image.mode == "RGB"
    assert all(_contains(image, picture, 3) for picture in pictures)


def test_small_pictures_are_enlarged_and_large_ones_are_not():
    assert grid(_bytes(1)).width > 56
    assert grid(_bytes(1, 3, 100, 100)).width < 150


def test_labels_and_headings_make_room_and_leave_ink():
    plain, labelled = grid(_bytes(4), 2), grid(_bytes(4), 2, ["Ankle boot", "Bag"])
    headed = grid(_bytes(4), 2, headings=["before", "after a very long time"])
    assert labelled.width > plain.width
    assert labelled.height == plain.height
    assert headed.height > plain.height
    left = labelled.crop((0, 0, labelled.width - plain.width, labelled.height)).convert("L")
    assert left.getextrema()[0] < 100


def test_transparency_shows_the_paper():
    clear = torch.zeros(1, 4, 8, 8, dtype=torch.uint8)
    assert grid(clear).convert("L").getextrema() == (255, 255)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((torch.zeros(2, 1, 8, 8),), r"torch\.uint8.*data\.pictures"),
        ((torch.zeros(2, 2, 8, 8, dtype=torch.uint8),), "1, 3 or 4 channels"),
        ((torch.zeros(0, 1, 8, 8, dtype=torch.uint8),), "at least one picture"),
        ((torch.zeros(4, 1, 8, 8, dtype=torch.uint8), 2, ["a"]), "one for each of 2 rows; got 1"),
        ((torch.zeros(4, 1, 8, 8, dtype=torch.uint8), 0), r"grid\.columns"),
    ],
)
def test_grid_refuses(arguments, said):
    with pytest.raises(InputError, match=said):
        grid(*arguments)


def test_animation_repeats_and_rests_at_the_end(tmp_path: Path):
    frames = [grid(_bytes(i + 1)[:1], title=f"{i}") for i in range(6)]
    path = animation(frames, tmp_path / "new" / "a.gif", rate=10, pause=1.5)
    with Image.open(path) as file:
        assert file.n_frames == 6
        assert file.info["loop"] == 0
        assert file.info["duration"] == 100
        file.seek(5)
        assert file.info["duration"] == 1500
        assert file.size == frames[0].size


def test_animation_stays_below_its_limit_and_keeps_the_last_frame(tmp_path: Path):
    frames = [grid(_bytes(40 + i)[:40], scale=2) for i in range(40)]
    path = animation(frames, tmp_path / "a.gif", limit=60_000)
    assert path.stat().st_size < 60_000
    with Image.open(path) as file:
        assert file.n_frames < 40
        file.seek(file.n_frames - 1)
        assert file.convert("RGB").tobytes() == frames[-1].tobytes()


def test_animation_in_colour_keeps_the_colours(tmp_path: Path):
    flat = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    flat[0, 0], flat[1, 2] = 250, 250
    frames = [grid(flat[i : i + 1]) for i in range(2)]
    with Image.open(animation(frames, tmp_path / "a.gif")) as file:
        red, green, blue = file.convert("RGB").getpixel((30, 30))
        assert red > 220 > 30 > max(green, blue)


def test_animation_refuses(tmp_path: Path):
    with pytest.raises(InputError, match="at least one frame"):
        animation([], tmp_path / "a.gif")
    with pytest.raises(InputError, match="one size"):
        animation([grid(_bytes(1)), grid(_bytes(4))], tmp_path / "a.gif")


@pytest.mark.parametrize("epochs", [1, 30])
def test_curve_is_a_picture_with_lines(tmp_path: Path, epochs):
    history = [
        {"loss": 9 / (i + 1), "simple": 3 / (i + 1), "vlb": 6 / (i + 1)} for i in range(epochs)
    ]
    with Image.open(curve(history, tmp_path / "new" / "c.png", "Title")) as file:
        assert file.width > 600
        colours = {colour for _, colour in file.convert("RGB").getcolors(1 << 24) or []}
    assert {(31, 95, 168), (209, 96, 61), (60, 141, 90)} <= colours


def test_curve_draws_one_line_where_the_total_is_the_only_term(tmp_path: Path):
    path = curve(
        [{"loss": 1 / (i + 1), "simple": 1 / (i + 1)} for i in range(9)], tmp_path / "c.png"
    )
    with Image.open(path) as file:
        colours = {colour for _, colour in file.convert("RGB").getcolors(1 << 24) or []}
    assert (31, 95, 168) in colours
    assert (209, 96, 61) not in colours


def test_curve_without_matplotlib_names_the_extra(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DiffusionError, match=r"diffusion-modules\[plot\]"):
        curve([{"loss": 1.0}], tmp_path / "c.png")


def test_curve_needs_history(tmp_path: Path):
    with pytest.raises(InputError, match="at least one epoch"):
        curve([], tmp_path / "c.png")


def test_lines_of_solvers_are_drawn_on_logarithmic_axes(tmp_path):
    from diffusion.picture.solvers import solvers

    errors = {f"solver {i}": ((5, 8, 20), (0.5 / (i + 1), 0.1, 0.01)) for i in range(14)}
    whole = solvers(errors, tmp_path / "all.png", "errors").read_bytes()
    cut = solvers(errors, tmp_path / "cut.png", "errors", most=0.2).read_bytes()
    assert whole[:4] == cut[:4] == b"\x89PNG"
    assert whole != cut
    with pytest.raises(InputError, match="at least one line"):
        solvers({}, tmp_path / "none.png")
