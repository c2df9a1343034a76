"""Recorded inputs, fed to another block."""

from pathlib import Path

import pytest

from diffusion.block import Decode
from diffusion.block.replay import replay
from diffusion.block.trace import Trace
from diffusion.errors import InputError

from .faults import INPUTS, Clip, Invert, Tint, model, pipeline
from .wrong import Swapped


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "run.trace"
    pipe = pipeline()
    with pipe.trace(path):
        pipe(**INPUTS)
    return path


@pytest.mark.parametrize("name", ["encode", "denoise", "decode", "tint"])
def test_the_same_block_makes_the_same(folder: Path, name: str) -> None:
    found = replay(folder, name, pipeline()[name])
    assert found, str(found)
    assert str(found).endswith("as recorded")


def test_another_block_is_compared(folder: Path) -> None:
    trace = Trace.load(folder)
    found = replay(trace, "decode", Decode(model(data=Swapped())))
    assert not found
    assert found.outputs["image"].flip(1).equal(found.recorded["image"])
    difference = found.differences["image"]
    assert difference is not None
    gap = (found.outputs["image"].int() - found.recorded["image"].int()).abs().max()
    assert difference.largest == int(gap)


def test_a_block_between_steps_is_replayed(folder: Path) -> None:
    assert replay(folder, "denoise.clip", Clip(), step=4)
    assert not replay(folder, "denoise.clip", Clip(0.2), step=4)


def test_within_a_tolerance(folder: Path) -> None:
    assert not replay(folder, "tint", Tint(0.51))
    assert replay(folder, "tint", Tint(0.51), tolerance=0.05)


def test_errors_say_what_to_do(folder: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'decode'"):
        replay(folder, "decoed", Invert())
    with pytest.raises(InputError, match="has no input 'latents'"):
        replay(folder, "decode", Invert())
    with pytest.raises(InputError, match="expected a Block"):
        replay(folder, "decode", print)  # type: ignore[arg-type]
    pipe = pipeline()
    with pipe.trace(limit=10) as small:
        pipe(**INPUTS)
    with pytest.raises(InputError, match="larger bound"):
        replay(small, "decode", Decode(model()))
