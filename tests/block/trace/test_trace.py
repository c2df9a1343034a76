"""What a trace holds, on disk and in memory."""

from pathlib import Path
from typing import Annotated

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from diffusion import guidance, sampler
from diffusion.block import Block, BlockError, Pipeline
from diffusion.block.run import RECORDER
from diffusion.block.trace import Summary, Trace, inputs
from diffusion.errors import FileError, InputError
from diffusion.sampling.tap import TAP

from ..faults import INPUTS, BrokenTint, model, pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "run.trace"
    pipe = pipeline()
    with pipe.trace(path):
        pipe(**INPUTS)
    return path


def test_every_block_is_recorded_in_order(folder: Path) -> None:
    trace = Trace.load(folder)
    names = [one.name for one in trace.records if one.step is None]
    assert names == ["pipeline", "encode", "denoise", "decode", "tint"]
    assert [one.step for one in trace.records if one.name == "denoise.clip"] == [0, 1, 2, 3, 4]


def test_what_is_read_is_what_was_written(folder: Path) -> None:
    pipe = pipeline()
    with pipe.trace() as kept:
        image = pipe(**INPUTS)
    trace = Trace.load(folder)
    assert trace["tint"].outputs["image"].equal(image)
    assert trace["encode"].inputs["init"].equal(INPUTS["init"])
    assert trace["denoise"].inputs["conditions"] == ["dog", "owl"]
    for ours, theirs in zip(kept.records, trace.records, strict=True):
        assert ours.path == theirs.path
        assert ours.settings == theirs.settings
    assert trace.about["library"]


def test_a_step_holds_what_each_module_did(folder: Path) -> None:
    """Schedule, network, guidance and sampler, each against its own formula."""
    m = model()
    found = Trace.load(folder)["denoise"].sampled[0]
    bound = m.bind(times=found.times)
    step = found.steps[1]
    (call,) = step.calls
    (asked,) = call.network
    t, s = found.times[1:3]
    assert tuple(found.scales[1]) == bound.clock(t)
    assert call.t == t
    assert call.z.equal(found.steps[0].state)
    with torch.no_grad():
        at = torch.full((4,), t)
        said = m.net.eval()(torch.cat([call.z] * 2), torch.tensor([2, 3, 0, 0]), at)
    assert asked.hat.equal(said)
    hat, null = asked.hat.chunk(2, 1)
    torch.testing.assert_close(call.hat, hat + 1.5 * (hat - null))
    x, epsilon = bound.predict(call.z, t, call.hat), bound.predict_epsilon(call.z, t, call.hat)
    signal, sigma = bound.clock(s)
    torch.testing.assert_close(step.reached, signal * x + sigma * epsilon)
    assert step.state.equal(step.reached.clamp(-3, 3))


def test_settings_seeds_times_and_memory_are_there(folder: Path) -> None:
    trace = Trace.load(folder)
    record = trace["denoise"]
    assert record.settings["model.guidance.strength"] == 1.5
    assert record.settings["steps"] == 6
    assert record.sampled[0].seed == 1
    assert "UNet" in record.sampled[0].modules["net"]
    assert record.seconds > 0
    assert record.peak > 0
    assert record.start >= trace["encode"].start


def test_a_seed_that_was_drawn_is_recorded() -> None:
    pipe = pipeline()
    with pipe.trace() as trace:
        image = pipe(**{**INPUTS, "seed": None})
    seed = trace["denoise"].sampled[0].seed
    assert pipe(**{**INPUTS, "seed": seed}).equal(image)


def test_the_inputs_of_a_block_are_found_by_its_name(folder: Path) -> None:
    trace = Trace.load(folder)
    for given in (inputs(folder, "decode"), inputs(folder / "decode")):
        assert given.keys() == {"latents"}
        assert given["latents"].equal(trace["denoise"].outputs["latents"])
    assert inputs(folder)["init"].equal(INPUTS["init"])
    third = inputs(folder / "denoise.clip@3")["state"]
    assert third.equal(trace.find("denoise.clip", 3).inputs["state"])
    with pytest.raises(InputError, match="Did you mean 'decode'"):
        inputs(folder / "decod")
    with pytest.raises(InputError, match="number of a step"):
        inputs(folder / "denoise.clip@last")


def test_inputs_may_be_written_by_hand(tmp_path: Path) -> None:
    save_file({"z": torch.arange(3)}, tmp_path / "inputs.safetensors")
    (tmp_path / "inputs.json").write_text('{"seed": 3, "noise": {"tensor": "z"}}')
    for given in (inputs(tmp_path), inputs(tmp_path / "inputs.json")):
        assert given["seed"] == 3
        assert given["noise"].equal(torch.arange(3))
    (tmp_path / "inputs.json").write_text('{"noise": {"tensor": "y"}}')
    with pytest.raises(FileError, match="stands for no value"):
        inputs(tmp_path)


def test_tracing_changes_nothing_and_is_off_afterwards() -> None:
    pipe = pipeline(model(sampler=sampler.SDE()))
    plain = pipe(**INPUTS)
    with pipe.trace():
        assert pipe(**INPUTS).equal(plain)
    assert RECORDER.get() is None
    assert TAP.get() is None


def test_what_blocks_change_in_place_is_recorded_as_it_was() -> None:
    class Spoil(Block):
        def __call__(self, image: Tensor) -> Annotated[Tensor, "spoilt"]:
            return image.mul_(0)

    pipe = Pipeline(spoil=Spoil())
    with pipe.trace() as trace:
        pipe(image=torch.ones(2, 2))
    assert trace["spoil"].inputs["image"].sum() == 4
    assert trace["spoil"].outputs["spoilt"].sum() == 0


def test_tensors_beyond_the_bounds_are_statistics_and_hash(tmp_path: Path) -> None:
    pipe = pipeline()
    with pipe.trace(tmp_path / "a", limit=1000):
        pipe(**INPUTS)
    with pipe.trace(tmp_path / "b"):
        pipe(**INPUTS)
    small, large = (Trace.load(tmp_path / name)["denoise"] for name in "ab")
    value, whole = small.outputs["latents"], large.outputs["latents"]
    assert isinstance(value, Summary)
    assert value.shape == (2, 3, 8, 8)
    assert value.high == pytest.approx(float(whole.max()))
    assert value.deviation == pytest.approx(float(whole.double().std(correction=0)))
    assert len(value.sha256) == 64
    sizes = [sum(f.stat().st_size for f in (tmp_path / n).rglob("*") if f.is_file()) for n in "ab"]
    assert sizes[0] < sizes[1] / 2


def test_all_tensors_together_are_bounded() -> None:
    pipe = pipeline()
    with pipe.trace(total=5000) as trace:
        pipe(**INPUTS)
    assert isinstance(trace["encode"].inputs["init"], Tensor)
    assert isinstance(trace["denoise"].outputs["latents"], Summary)


def test_what_was_recorded_before_a_failure_is_kept(tmp_path: Path) -> None:
    pipe = pipeline(tint=BrokenTint())
    with pytest.raises(BlockError), pipe.trace(tmp_path / "run.trace"):
        pipe(**INPUTS)
    trace = Trace.load(tmp_path / "run.trace")
    assert trace["tint"].error == "RuntimeError: no ink"
    assert trace["tint"].inputs["image"].equal(trace["decode"].outputs["image"])
    assert not trace["tint"].outputs


def test_two_samplings_in_one_block_are_both_heard() -> None:
    class Twice(Block):
        def __call__(self, seed: int) -> Annotated[Tensor, "image"]:
            one = model(guidance=guidance.ClassifierFree())
            return one.sample(batch=1, steps=2, seed=seed) + one.sample(batch=1, steps=3, seed=seed)

    pipe = Pipeline(twice=Twice())
    with pipe.trace() as trace:
        pipe(seed=1)
    assert [len(one.steps) for one in trace["twice"].sampled] == [2, 3]


def test_what_is_no_data_is_named_and_not_written(tmp_path: Path) -> None:
    class Read(Block):
        def __call__(self, source: object) -> Annotated[int, "size"]:
            return 1

    pipe = Pipeline(read=Read())
    with pipe.trace(tmp_path / "run.trace"):
        pipe(source={"tensor": object()})
    assert repr(Trace.load(tmp_path / "run.trace")["read"].inputs["source"]["tensor"]) == (
        "Missing('object')"
    )


def test_half_types_tokens_and_odd_shapes_survive(tmp_path: Path) -> None:
    class Pass(Block):
        def __call__(self, values: dict) -> Annotated[dict, "made"]:
            return values

    values = {
        "half": torch.randn(3, 2).bfloat16(), "none": torch.empty(0, 4), "one": torch.tensor(2.5),
        "ids": torch.arange(5), "mask": torch.tensor([True, False]), "list": [torch.ones(1), "a"],
        "turned": torch.arange(6.0).reshape(2, 3).T,
    }  # fmt: skip
    pipe = Pipeline(keep=Pass())
    with pipe.trace(tmp_path / "run.trace"):
        pipe(values=values)
    found = Trace.load(tmp_path / "run.trace")["keep"].outputs["made"]
    for key, value in values.items():
        same = found[key][0].equal(torch.ones(1)) if key == "list" else found[key].equal(value)
        assert same, key
    assert found["half"].dtype == torch.bfloat16


def test_a_trace_in_a_trace_is_an_error() -> None:
    pipe = pipeline()
    with pipe.trace(), pytest.raises(InputError, match="open already"), pipe.trace():
        pass
    with pytest.raises(InputError, match=r"trace\.limit"):
        pipe.trace(limit=-1)


def test_unknown_blocks_are_named(folder: Path) -> None:
    trace = Trace.load(folder)
    with pytest.raises(InputError, match="Did you mean 'decode'"):
        trace["decod"]
    with pytest.raises(InputError, match="ran after the steps 0, 1"):
        trace.find("denoise.clip", 9)
    assert trace.find("denoise.clip", 3).step == 3
