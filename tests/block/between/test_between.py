"""Blocks between steps: each alone, in a sampling, and several together."""

import logging
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from diffusion import Model, data, loss, noise, sampler, schedule
from diffusion.block import (
    After,
    BlockError,
    Call,
    Decode,
    Denoise,
    Hold,
    Log,
    Preview,
    Stop,
)
from diffusion.errors import FileError, InputError, MismatchError
from diffusion.net import Transformer
from diffusion.time import Stratified

from ..small import ideal, model

SAMPLERS = (sampler.Ancestral(), sampler.DDIM(), sampler.UniPC(), sampler.DPMSolverPP())


def latents(denoise: Denoise, **given: Any) -> Tensor:
    made: Any = denoise(**given)
    return made["latents"] if isinstance(made, dict) else made


@pytest.mark.parametrize("walk", SAMPLERS, ids=lambda one: type(one).__name__)
def test_what_is_held_stays(walk: sampler.Ancestral) -> None:
    own = model()
    original = torch.rand(2, 1, 8, 8) - 0.5
    kept = torch.rand(1, 1, 8, 8) > 0.5
    found = latents(
        Denoise(own, 10, walk, each={"hold": Hold(own)}), original=original, kept=kept, seed=1,
        batch=2,
    )  # fmt: skip
    places = kept.expand_as(found)
    assert torch.equal(found[places], original[places])
    free = latents(Denoise(own, 10, walk), seed=1, batch=2)
    assert not torch.allclose(found[~places], free[~places])


def test_tokens_are_held_whatever_state_begins() -> None:
    """Known tokens have no noise, and a first state that is given is none."""
    net = Transformer(6, width=16, depth=1, heads=2)
    own = Model(
        data.Identity(), schedule.LogLinear(), noise.Absorbing(6), net, loss.CrossEntropy(),
        Stratified(), shape=(5,), state_dtype=torch.long,
    )  # fmt: skip
    original, kept = torch.tensor([[0, 1, 2, 3, 4]]), torch.tensor([[True, False] * 2 + [True]])
    states: list[Tensor] = []
    each = {"hold": Hold(own), "see": Call(lambda state: states.append(state))}
    begin = torch.where(kept, original, 5)
    last = latents(Denoise(own, 4, each=each), original=original, kept=kept, noise=begin, seed=0)
    assert len(states) == 4
    assert all(torch.equal(state[kept], original[kept]) for state in states)
    assert last[~kept].max() < 5


def test_what_is_held_has_the_noise_of_the_start() -> None:
    """Known places follow signal·x + sigma·epsilon, with the epsilon that the sampling began with:
    by its seed, or as it is given."""
    own = ideal()
    original = torch.rand(1, 1, 8, 8) - 0.5
    kept, clock = torch.ones(1, 1, 8, 8, dtype=torch.bool), own.bind().clock
    first = next(own.stream(batch=1, steps=4, seed=[3]))
    states: list[tuple[Tensor, float]] = []
    each = {"hold": Hold(own), "see": Call(lambda state, time: states.append((state, time)))}
    for given in ({"seed": [3]}, {"noise": first}):
        states.clear()
        latents(Denoise(own, 4, sampler.DDIM(), each=each), original=original, kept=kept, **given)
        for state, time in states:
            signal, sigma = clock(time)
            assert torch.allclose(state, signal * original + sigma * first, atol=1e-5)
    assert torch.equal(states[-1][0], original)


def test_bad_masks() -> None:
    own = model()
    denoise = Denoise(own, 4, each={"hold": Hold(own)})
    x = torch.zeros(1, 1, 8, 8)
    with pytest.raises(BlockError, match="hold, step 0: InputError: kept: expected booleans"):
        denoise(original=x, kept=torch.zeros(8, 8), batch=1)
    with pytest.raises(BlockError, match=r"\[3, 8\] does not broadcast to the states \[1, 1, 8, 8"):
        denoise(original=x, kept=torch.zeros(3, 8, dtype=torch.bool), batch=1)


def test_previews(tmp_path: Path) -> None:
    own, shown = model(), list[tuple[int, list[Any]]]()
    each = {
        "call": Preview(own, lambda step, pictures: shown.append((step, pictures)), every=4),
        "write": Preview(own, tmp_path / "new", every=5),
    }
    last = latents(Denoise(own, 10, each=each), batch=2, seed=0)
    assert [step for step, _ in shown] == [3, 7, 9]
    assert [one.size for one in shown[0][1]] == [(8, 8)] * 2
    assert sorted(one.name for one in (tmp_path / "new").iterdir()) == [
        "step-0004.png", "step-0009.png",
    ]  # fmt: skip
    end = Decode(own)(last)
    assert shown[-1][1][0].getpixel((2, 1)) == int(end[0, 0, 1, 2])
    with Image.open(tmp_path / "new" / "step-0009.png") as file:
        assert file.width > 16
    assert torch.equal(last, latents(Denoise(own, 10), batch=2, seed=0))


def test_a_preview_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    denoise = Denoise(model(), 4, each={"show": Preview(model(), tmp_path / "file", every=1)})
    with pytest.raises(BlockError, match=r"show, step 0: FileError.*could not be written") as found:
        denoise(batch=1)
    assert isinstance(found.value.__cause__, FileError)
    assert found.value.values["latents"] is not None


def test_stopping_early() -> None:
    """Where little noise is left the predicted data are what further steps would come to."""
    own, steps = ideal(), list[int]()
    count = Call(lambda step: steps.append(step))
    walk = sampler.DDIM()
    near = latents(
        Denoise(own, 50, walk, each={"stop": Stop(0.3), "count": count}), seed=0, batch=2
    )
    stopped = len(steps)
    assert 5 < stopped < 50
    full = latents(Denoise(own, 50, walk, each={"stop": Stop(0.0)}), seed=0, batch=2)
    assert torch.equal(full, latents(Denoise(own, 50, walk), seed=0, batch=2))
    assert (near - full).norm() < 0.3 * full.norm()
    steps.clear()
    latents(Denoise(own, 50, walk, each={"count": count, "stop": After(7)}), seed=0, batch=2)
    assert steps == [*range(7)]


def test_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "diffusion.sampling"):
        latents(Denoise(model(), 10, each={"log": Log(every=4)}), batch=1, seed=0)
    assert [line.split(",")[0] for line in caplog.messages] == [
        "step 4 of 10", "step 8 of 10", "step 10 of 10",
    ]  # fmt: skip


def test_functions() -> None:
    """A function's parameters are its inputs, its return annotation names what it makes."""
    own = model()

    def brighten(state: Tensor, by: float = 0.5) -> Annotated[Tensor, "state"]:
        return state + by

    def size(denoised: Tensor) -> Annotated[float, "size"]:
        return float(denoised.abs().max())

    denoise = Denoise(own, 5, sampler.DDIM(), each={"up": Call(brighten), "size": Call(size)})
    assert str(denoise.ports().inputs["by"]) == "float = 0.5"
    made = denoise(batch=1, seed=0)
    assert len(made["size"]) == 5
    plain = latents(Denoise(own, 5, sampler.DDIM()), batch=1, seed=0)
    assert torch.equal(latents(denoise, batch=1, seed=0, by=0.0), plain)
    assert (made["latents"] - plain).mean() > 0.4


def test_functions_that_fail() -> None:
    def fail(step: int) -> None:
        if step == 2:
            raise RuntimeError("no more")

    with pytest.raises(BlockError, match="say, step 2: RuntimeError: no more") as found:
        Denoise(model(), 5, each={"say": Call(fail)})(batch=1)
    assert found.value.values["latents"].shape == (1, 1, 8, 8)
    with pytest.raises(BlockError, match="declares the outputs none, and returned int"):
        Denoise(model(), 5, each={"say": Call(lambda step: step)})(batch=1)
    with pytest.raises(InputError, match="does not tell its parameters"):
        Call(dict)
    with pytest.raises(MismatchError, match="step is the sampling's"):
        Denoise(model(), 5, each={"say": Call(_counts)})


def _counts(step: int) -> Annotated[int, "step"]:
    return step + 1
