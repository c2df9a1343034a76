"""Whether `blame` is right in every injected fault, and silent where there is none."""

from pathlib import Path

import pytest
import torch

from diffusion import guidance, noise, sampler, schedule
from diffusion.block import Decode, Denoise, Pipeline
from diffusion.block.blame import Blame, blame
from diffusion.errors import InputError

from .faults import INPUTS, BrokenTint, Fault, Log, Tint, inputs, model, pipeline, unet
from .table import FAULTS


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found(fault: Fault) -> None:
    good, bad = fault.make()
    found = blame(good, bad, inputs(set(good.ports().inputs)))
    assert (found.block, found.step, found.module) == fault[1:4], found


def test_there_are_enough_faults_of_every_kind() -> None:
    assert len(FAULTS) >= 30
    assert {fault.module for fault in FAULTS} >= {
        "schedule", "time grid", "noise", "net", "guidance", "sampler", "data", "seed", "block",
    }  # fmt: skip


def test_nothing_is_blamed_where_nothing_changed() -> None:
    found = blame(pipeline(), pipeline(), INPUTS)
    assert not found
    assert found == Blame()
    assert "Nothing" in str(found)


@pytest.mark.parametrize(
    "modules",
    [
        {"sampler": sampler.Ancestral()},
        {"sampler": sampler.SDE()},
        {"sampler": sampler.Heun()},
        {"sampler": sampler.UniPC()},
        {"guidance": guidance.Rescale(guidance.ClassifierFree(strength=1.5))},
        {"guidance": guidance.PlusPlus()},
        {"schedule": schedule.Flow(100), "noise": noise.Gaussian("velocity")},
    ],
    ids=str,
)
def test_the_replay_of_every_kind_of_module_is_exact(modules: dict) -> None:
    """The second differs in its last block alone, and all before it must be seen to be equal."""
    first, second = pipeline(model(**modules)), pipeline(model(**modules), tint=Tint(0.7))
    found = blame(first, second, INPUTS)
    assert (found.block, found.module, found.details) == ("tint", "block", ("by: 0.5 → 0.7",))


def test_the_first_weight_that_differs_is_named() -> None:
    net = unet()
    with torch.no_grad():
        net.norm.bias[2] += 0.1  # type: ignore[union-attr, index, operator]
    found = blame(pipeline(), pipeline(model(net=net)), INPUTS)
    assert any("model.net.norm.bias" in line for line in found.details)
    assert any("layer norm" in line for line in found.details)


def test_settings_that_differ_are_named() -> None:
    other = model(guidance=guidance.ClassifierFree(strength=2.0))
    found = blame(pipeline(), pipeline(other), INPUTS)
    assert found.details == ("model.guidance.strength: 1.5 → 2.0",)
    assert "guidance" in str(found)


def test_of_two_faults_the_first_is_blamed() -> None:
    other = model(guidance=guidance.ClassifierFree(strength=2.0))
    found = blame(pipeline(), pipeline(other, tint=Tint(0.7)), INPUTS)
    assert (found.block, found.module) == ("denoise", "guidance")


def test_what_is_within_the_tolerance_is_not_blamed() -> None:
    one = model(sampler=sampler.DPMSolverPP(order=2))
    other = model(sampler=sampler.DPMSolverPP(order=1))
    found = blame(pipeline(one), pipeline(other), INPUTS, tolerance=1e-5)
    assert (found.step, found.module) == (1, "sampler")
    assert not blame(pipeline(one), pipeline(other), INPUTS, tolerance=1e6)


def test_a_recorded_run_is_enough(tmp_path: Path) -> None:
    """What ran in production, against what is at hand."""
    with pipeline().trace(tmp_path / "good.trace"):
        pipeline()(**INPUTS)
    other = model(guidance=guidance.ClassifierFree(strength=2.0))
    found = blame(tmp_path / "good.trace", pipeline(other))
    assert (found.block, found.step, found.module) == ("denoise", 0, "guidance")
    assert not blame(tmp_path / "good.trace", pipeline())


@pytest.mark.parametrize(
    ("name", "block", "module"),
    [
        ("another strength of guidance", "denoise", "guidance"),
        ("another exponent of the schedule", "denoise", "schedule"),
        ("one weight changed by 0.001", "denoise", "net"),
        ("another order of the sampler", "denoise", "sampler"),
        ("another eta of the posterior", "denoise", "noise"),
        ("a step is missing", "denoise", "time grid"),
        ("a tighter clamp between the steps", "denoise.clip", "block"),
        ("another setting of a block", "tint", "block"),
        ("swapped channels in decode", "decode", "data"),
        ("a block is missing", "tint", "pipeline"),
    ],
)
def test_two_recorded_runs_are_enough(tmp_path: Path, name: str, block: str, module: str) -> None:
    fault = next(one for one in FAULTS if one.name == name)
    for side, pipe in zip("ab", fault.make(), strict=True):
        with pipe.trace(tmp_path / side):  # type: ignore[attr-defined]
            pipe(**INPUTS)
    found = blame(tmp_path / "a", tmp_path / "b")
    assert (found.block, found.module) == (block, module), found


def test_other_inputs_of_two_runs_are_said_to_be_that(tmp_path: Path) -> None:
    for side, seed in (("a", 1), ("b", 2)):
        with pipeline().trace(tmp_path / side):
            pipeline()(**{**INPUTS, "seed": seed})
    found = blame(tmp_path / "a", tmp_path / "b")
    assert (found.module, found.what) == ("inputs", "seed: 1 → 2")


def test_saved_pipelines_are_loaded(tmp_path: Path) -> None:
    m = model()
    for name, steps in (("a", 4), ("b", 5)):
        pipe = Pipeline(denoise=Denoise(m, steps), decode=Decode(m))
        pipe.save(tmp_path / f"{name}.yaml", weights=True)
    found = blame(tmp_path / "a.yaml", tmp_path / "b.yaml", {"batch": 1})
    assert (found.block, found.module) == ("denoise", "time grid")


def test_a_new_block_that_only_looks_is_not_blamed() -> None:
    one = pipeline()
    assert not blame(one, one.insert(after="decode", log=Log()), INPUTS)


def test_a_first_pipeline_that_fails_is_an_error() -> None:
    with pytest.raises(InputError, match=r"first pipeline itself fails.*no ink"):
        blame(pipeline(tint=BrokenTint()), pipeline(), INPUTS)


def test_errors_of_the_arguments() -> None:
    with pytest.raises(InputError, match="expected a pipeline or a trace"):
        blame(pipeline(), 3, INPUTS)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no input 'sed'"):
        blame(pipeline(), pipeline(), {**INPUTS, "sed": 1})
    with pytest.raises(InputError, match="tolerance"):
        blame(pipeline(), pipeline(), INPUTS, tolerance=-1)


def test_states_too_large_to_keep_are_an_error(tmp_path: Path) -> None:
    with pipeline().trace(tmp_path / "small.trace", limit=400):
        pipeline()(**INPUTS)
    other = model(guidance=guidance.ClassifierFree(strength=2.0))
    with pytest.raises(InputError, match="too large to keep"):
        blame(tmp_path / "small.trace", pipeline(other))
