"""Every combination of some choices, side by side."""

import math
import os
from pathlib import Path

import pytest
from PIL import Image

from diffusion import guidance, sampler, schedule
from diffusion.block.compare import compare
from diffusion.errors import FileError, InputError

from .browser import document
from .faults import INPUTS, BrokenTint, Tint, pipeline

CHOICES = {"denoise.sampler": [sampler.DDIM(), sampler.Heun()], "denoise.steps": [2, 3, 4]}


def test_all_combinations_are_run_as_they_would_be_alone() -> None:
    pipe = pipeline()
    made = compare(pipe, CHOICES, **INPUTS)
    assert [tuple(row.chosen.values())[1] for row in made.rows] == [2, 3, 4, 2, 3, 4]
    for row in made.rows:
        alone = pipe.replace(row.chosen)(**INPUTS)
        assert row.picture is not None
        assert row.picture.equal(alone)
        gap = (alone.double() - made.rows[0].outputs["image"].double()) / 255
        assert row.rms == pytest.approx(float(gap.square().mean().sqrt()))
        assert row.largest == pytest.approx(float(gap.abs().max()))
        assert row.seconds > 0
    assert made.rows[0].rms == 0
    assert made.rows[-1].rms > 0


def test_without_a_seed_all_have_the_same() -> None:
    inputs = {key: value for key, value in INPUTS.items() if key != "seed"}
    made = compare(pipeline(), {"tint": [Tint(), Tint()]}, **inputs)
    assert made.rows[1].rms == 0


def test_an_argument_deep_inside_is_chosen() -> None:
    pipe = pipeline().replace({"denoise.guidance": guidance.ClassifierFree()})
    made = compare(pipe, {"denoise.guidance.strength": [0.0, 4.0]}, **INPUTS)
    assert made.rows[1].rms > 0


def test_the_schedule_of_a_model_is_chosen_and_choices_have_names() -> None:
    pipe = pipeline()
    schedules = {"slow": schedule.Cosine(100, 0.1), "fast": schedule.Cosine(100, 0.008)}
    made = compare(pipe, {"denoise.steps": [2], "denoise.model.schedule": schedules}, **INPUTS)
    assert [row.names for row in made.rows] == [
        {"denoise.steps": "2", "denoise.model.schedule": name} for name in schedules
    ]
    for row, one in zip(made.rows, schedules.values(), strict=True):
        model = pipe["denoise"]["model"].replace(schedule=one)
        goal = pipe.replace({"denoise.model": model, "denoise.steps": 2})(**INPUTS)
        assert row.picture is not None
        assert row.picture.equal(goal)
    assert made.rows[1].rms > 0
    assert "schedule fast" in str(made)
    assert "<td>fast</td>" in made.html()


def test_a_setting_of_a_module_of_a_model_is_chosen() -> None:
    made = compare(pipeline(), {"denoise.model.schedule.offset": [0.008, 0.1]}, **INPUTS)
    assert made.rows[1].rms > 0
    with pytest.raises(InputError, match="Model has no 'schedul'"):
        compare(pipeline(), {"denoise.model.schedul": [schedule.Cosine(9)]}, **INPUTS)
    with pytest.raises(InputError, match="has no trained weights"):
        compare(pipeline(), {"denoise.model.net.labels": [3]}, **INPUTS)


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch) -> None:
    made = compare(pipeline(), {"denoise.steps": [2]}, **INPUTS)
    made.save(tmp_path / "grid.png")
    before = (tmp_path / "grid.png").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left"):
        made.save(tmp_path / "grid.png")
    assert (tmp_path / "grid.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["grid.png"]


def test_the_grid_has_a_column_for_each_of_the_last_values(tmp_path: Path) -> None:
    made = compare(pipeline(), CHOICES, **INPUTS)
    made.save(tmp_path / "a" / "grid.png")
    with Image.open(tmp_path / "a" / "grid.png") as image:
        width, height = image.size
    one = compare(pipeline(), {"denoise.steps": [2]}, **INPUTS).image()
    assert width > 2.5 * 144 > one.width / 2
    assert height > 2 * 72


def test_the_page_opens_in_a_browser(tmp_path: Path) -> None:
    made = compare(pipeline(), CHOICES, **INPUTS)
    made.save(tmp_path / "page.html")
    text = document(tmp_path / "page.html")
    assert text.count("<tr>") == 1 + len(made.rows)
    assert text.count('src="data:image/png') == 2 * len(made.rows)
    assert f"{made.rows[-1].rms:.4f}" in text


def test_a_combination_that_fails_is_said_to(tmp_path: Path) -> None:
    made = compare(pipeline(), {"tint": [Tint(), BrokenTint()]}, **INPUTS)
    assert "no ink" in made.rows[1].error
    assert math.isnan(made.rows[1].rms)
    assert "no ink" in str(made)
    assert "no ink" in made.html()
    made.save(tmp_path / "grid.png")
    with pytest.raises(InputError, match=r"no combination can be run.*no ink"):
        compare(pipeline(), {"tint": [BrokenTint()]}, **INPUTS)


def test_errors_of_the_choices(tmp_path: Path) -> None:
    pipe = pipeline()
    with pytest.raises(InputError, match=r"denoise\.steps: expected at least one value"):
        compare(pipe, {"denoise.steps": []}, **INPUTS)
    with pytest.raises(InputError, match="Did you mean 'denoise'"):
        compare(pipe, {"denois.steps": [1]}, **INPUTS)
    with pytest.raises(InputError, match=r"compare\.choices"):
        compare(pipe, {}, **INPUTS)
    with pytest.raises(InputError, match="at most 200"):
        compare(pipe, {"denoise.steps": range(1, 300)}, **INPUTS)
    with pytest.raises(InputError, match="no input 'prompt'"):
        compare(pipe, {"denoise.steps": [1]}, **INPUTS, prompt="a")
    made = compare(pipe, {"denoise.steps": [1]}, **INPUTS)
    with pytest.raises(InputError, match=r"\.png, \.html"):
        made.save(tmp_path / "grid.jpg")
    (tmp_path / "file").write_text("")
    with pytest.raises((FileError, OSError)):
        made.save(tmp_path / "file" / "page.html")
