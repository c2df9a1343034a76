"""A run that is stopped, killed or damaged continues as if nothing had happened."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch

import diffusion
from diffusion import data, guidance, loss, noise, schedule
from diffusion import time as times
from diffusion.errors import FileError, MismatchError, TrainingError
from diffusion.train import checkpoint

from ..test_contracts import Labelled


def model(**modules: object) -> diffusion.Model:
    torch.manual_seed(0)
    own: dict = {
        "data": data.Identity(
            torch.randn(40, 2), torch.randint(1, 4, (40,)), batch=8, shuffle=True
        ),
        "schedule": schedule.Linear(100),
        "noise": noise.Gaussian("epsilon"),
        "net": Labelled(),
        "loss": loss.Simple(),
        "time": times.Importance(bins=5, memory=2),
        "guidance": guidance.ClassifierFree(0.2, 1.0),
        "ema": 0.995,
        "seed": 7,
    }
    return diffusion.Model(**{**own, **modules})


def state(one: diffusion.Model) -> dict:
    found = {
        **one.parts.state_dict(),
        **{f"ema.{k}": v for k, v in one.average.state_dict().items()},
    }
    for index, entry in one.run.optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{index}.{k}": v for k, v in entry.items()}
    return found


def assert_same(a: diffusion.Model, b: diffusion.Model) -> None:
    ours, theirs = state(a), state(b)
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(theirs[key])), key
    assert a.run.history == b.run.history


class _StopAt(loss.Sampled):
    """A plain squared error that raises SIGTERM after some batches: in the middle of an epoch."""

    after: int = 0

    def each(self, batch: diffusion.Batch) -> torch.Tensor:
        self.__dict__["seen"] = self.__dict__.get("seen", 0) + 1
        if self.seen == self.after:
            os.kill(os.getpid(), signal.SIGTERM)
        return loss.Simple().each(batch)


@pytest.mark.parametrize("after", [1, 7, 13])
def test_a_signal_in_mid_epoch_and_resume_are_bit_exact(tmp_path: Path, after: int) -> None:
    whole = model(loss=_StopAt())
    values = [*whole.train(4, folder=tmp_path / "whole")]
    with pytest.raises(KeyboardInterrupt, match="SIGTERM: saved to"):
        [*model(loss=_StopAt(after=after)).train(4, folder=tmp_path / "cut")]
    resumed = model(loss=_StopAt())
    rest = [*resumed.train(4, folder=tmp_path / "cut")]
    assert values[-len(rest) :] == rest
    assert_same(whole, resumed)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = model()
    [*first.train(2, folder=tmp_path / "r")]
    again = model()
    assert [*again.train(2, folder=tmp_path / "r")] == []
    assert_same(first, again)
    assert len([*again.train(3, folder=tmp_path / "r")]) == 1


def test_training_in_two_calls_is_training_in_one() -> None:
    one, two = model(), model()
    a = [*one.train(3)]
    b = [*two.train(1), *two.train(2)]
    assert a == b
    assert_same(one, two)


def test_a_damaged_latest_checkpoint_is_named_and_skipped(tmp_path: Path) -> None:
    [*model().train(3, folder=tmp_path)]
    kept = sorted(tmp_path.glob("step-*"))
    assert [p.name for p in kept] == ["step-00000010", "step-00000015"]
    weights = kept[-1] / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.warns(UserWarning, match=r"damaged checkpoint: .*step-00000015.*weights"):
        assert checkpoint.latest(tmp_path) == kept[0]
    with pytest.raises(FileError, match="damaged"):
        diffusion.Model.load(kept[-1], custom=[Labelled])


def test_another_batch_size_is_refused(tmp_path: Path) -> None:
    [*model().train(1, folder=tmp_path)]
    other = model(data=data.Identity(torch.randn(40, 2), torch.ones(40).long(), batch=10))
    with pytest.raises(MismatchError, match="trained with batch = 8, the model has 10"):
        [*other.train(2, folder=tmp_path)]


SCRIPT = """
    import sys, torch
    sys.path.insert(0, {root!r})
    torch.set_num_threads(1)
    from tests.train.test_resume import model
    one = model()
    print("ready", flush=True)
    for _ in one.train(400, folder={folder!r}, every=0.0):
        print(one.run.step, flush=True)
"""


def test_kill_nine_at_random_moments_loses_nothing(tmp_path: Path) -> None:
    """R1 in small: every start continues from a whole checkpoint, never behind the last one."""
    root = str(Path(__file__).parents[2])
    script = textwrap.dedent(SCRIPT.format(root=root, folder=str(tmp_path / "run")))
    reached = 0
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2 + float(torch.rand((), generator=generator)))
        process.kill()
        process.wait()
        found = checkpoint.latest(tmp_path / "run")
        assert found is not None
        step = int(re.findall(r"\d+", found.name)[0])
        assert step >= reached
        reached = step
        fresh = model()
        assert checkpoint.resume(fresh, tmp_path / "run")
        assert fresh.run.step == step
    assert reached > 0


def test_a_killed_run_ends_where_the_whole_one_does(tmp_path: Path) -> None:
    whole, cut = model(), model()
    [*whole.train(3)]
    for _ in cut.train(3, folder=tmp_path, every=0.0):
        break
    resumed = model()
    [*resumed.train(3, folder=tmp_path)]
    for key, value in whole.parts.state_dict().items():
        assert torch.equal(value, resumed.parts.state_dict()[key])


def test_nan_is_caught_within_a_step_and_named() -> None:
    one = model(loss=loss.Lambda(lambda b: (b.hat * float("nan")).mean()), time=times.Discrete())
    before = {k: v.clone() for k, v in one.parts.state_dict().items() if "running" not in k}
    with pytest.raises(TrainingError, match=r"loss is nan at step 0.*gradient: net\.layers.*clip"):
        [*one.train(1)]
    for key, value in before.items():
        if "num_batches" not in key:
            assert torch.equal(value, one.parts.state_dict()[key])
