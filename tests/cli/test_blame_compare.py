"""`diffusion blame` and `diffusion compare`."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from diffusion.block import Decode, Denoise, Pipeline
from diffusion.cli.app import app

from ..block.faults import model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pipelines of one model that differ in their steps, a trace of the first, inputs."""
    path, m = tmp_path_factory.mktemp("pipelines"), model()
    for name, steps in (("a", 3), ("b", 4)):
        pipe = Pipeline(denoise=Denoise(m, steps), decode=Decode(m))
        pipe.save(path / f"{name}.yaml", weights=True)
        if name == "a":
            with pipe.trace(path / "a.trace"):
                pipe(batch=2, seed=3)
    (path / "inputs.json").write_text(json.dumps({"batch": 2, "seed": 3}))
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_part_to_blame_is_named(folder: Path) -> None:
    for first in ("a.yaml", "a.trace"):
        given = [] if first == "a.trace" else ["--inputs", folder / "inputs.json"]
        found = run("blame", folder / first, folder / "b.yaml", *given)
        assert found.exit_code == 1, found.output
        assert "denoise, step 0: time grid (4 steps, not 3" in found.output
        assert "steps: 3 → 4" in found.output


def test_nothing_is_to_blame(folder: Path) -> None:
    found = run("blame", folder / "a.yaml", folder / "a.yaml", "--batch", 2, "--seed", 3)
    assert found.exit_code == 0, found.output
    assert "Nothing to blame" in found.output


def test_inputs_that_are_not_there_are_an_error(folder: Path) -> None:
    found = run("blame", folder / "a.yaml", folder / "b.yaml", "--inputs", folder / "none.json")
    assert found.exit_code == 1
    assert "none.json" in found.output


def test_choices_are_combined(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    found = run(
        "compare", folder / "a.yaml", "--choose", "denoise.steps=2", "--choose", "denoise.steps=5",
        "--choose", "denoise.sampler={id: sampler.Heun}", "-o", out, "--batch", 2,
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    assert "steps 5, sampler Heun" in found.output
    with Image.open(out) as image:
        assert image.width > 100
