"""`diffusion train`: it trains, continues, stops, and ignores nothing."""

import os
import signal
import subprocess
import sys
import time

import pytest

from diffusion import Model
from diffusion.folder import text
from diffusion.train import Profile

from .conftest import PICTURES


def test_it_trains_and_saves(there):
    model = Model.load("run/model")
    assert len(text.read(there.folder / "run/model/model.yaml")) > 10
    assert text.read(there.folder / "run/model/model.yaml")["trained"] == {"steps": 6, "epochs": 2}
    assert model.data.names == ("dark", "grey", "light")
    assert model.optimizer.rate == 2e-3


def test_it_says_what_it_does(shell):
    answer = shell("train", "pictures.yaml", "--epochs", "1")
    assert answer.code == 0
    assert "epoch 1/1  loss" in answer.out
    assert "saved run/model" in answer.out
    assert "diffusion sample run/model" in answer.out
    assert "120 items" in answer.error
    assert "training 1 epochs into run" in answer.error


def test_it_continues_exactly(shell):
    shell("train", "pictures.yaml", "--epochs", "1")
    again = shell("train", "pictures.yaml")
    assert "continuing from run/step-00000003, up to 2 epochs" in again.error
    assert "epoch 2/2" in again.out
    assert "epoch 1/2" not in again.out
    shell("train", "pictures.yaml", "--folder", "whole")
    one, two = (shell.folder / f / "model/weights.safetensors" for f in ("run", "whole"))
    assert one.read_bytes() == two.read_bytes()


def test_it_does_not_continue_something_else(shell):
    shell("train", "pictures.yaml", "--epochs", "1")
    answer = shell("train", "pictures.yaml", "--set", "noise.parameter=x")
    assert answer.code == 1
    assert (
        "was trained with noise.parameter = 'velocity', the configuration says 'x'" in answer.error
    )
    assert "another --folder" in answer.error
    fine = shell("train", "pictures.yaml", "--set", "optimizer.rate=1e-4")
    assert fine.code == 0
    assert "changed since step-00000003: optimizer.rate = 0.002 -> 0.0001" in fine.error


CHANGES = {
    "noise.parameter=x": lambda m: m.noise.parameter == "x",
    "noise.Gaussian.eta=0.5": lambda m: m.noise.eta == 0.5,
    "net.channels=[1, 4]": lambda m: tuple(m.net.channels) == (1, 4),
    "loss.weight=MinSNR": lambda m: type(m.loss.weight).__name__ == "MinSNR",
    "loss.weight={P2: {k: 2}}": lambda m: m.loss.weight.k == 2.0,
    "schedule={Cosine: {steps: 25}}": lambda m: m.schedule.steps == 25,
    "guidance=null": lambda m: m.guidance is None,
    "ema=null": lambda m: m.ema is None,
    "ema={Profile: {widths: [0.02, 0.1], every: 1}}": lambda m: (
        tuple(m.ema.widths) == (0.02, 0.1) and m.ema.reconstruct(m, 0.05).ema is None
    ),
    "clip=1": lambda m: m.clip == 1.0,
    "seed=7": lambda m: m.seed == 7,
    "train.folder=run": lambda m: m.run.step == 0,
}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_set_changes_one_value(shell, change):
    answer = shell("train", "pictures.yaml", "--set", change, "--epochs", "1", "--folder", "run")
    assert answer.code == 0, answer.error
    assert CHANGES[change](Model.load("run/model"))


def test_set_reaches_into_lists(shell):
    answer = shell("train", "text.yaml", "--set", "loss.losses.1.factor=0.5")
    assert answer.code == 0, answer.error
    assert Model.load("runs/text/model").loss.losses[1].factor == 0.5


WRONG = {
    "noise.paramter=x": "--set noise.paramter: noise.Gaussian has no argument 'paramter'; it takes "
    "parameter, variance, path, eta, sigma_data. Did you mean 'parameter'?",
    "noise.parameter=velocty": "--set noise.parameter: Gaussian.parameter: expected one of x",
    "nose.parameter=x": "no 'nose' here; there is data, schedule, noise",
    "train.epoch=3": "--set train.epoch: train has no setting 'epoch'; it has epochs",
    "loss.weight=MinSRN": "no weight module is called 'MinSRN'",
    "schedule=Cosine": "missing a required argument: 'steps'",
    "optimizer.rate=fast": "train.AdamW.rate: Input should be a valid number",
    "optimizer.betas.0=0.5": "no 'betas' here; there is rate",
    "loss.losses.7.factor=1": "no 'losses' here",
    "ema=Cosine": "--set ema: no train module is called 'Cosine'; there are AdamW, Profile",
    "ema=AdamW": "--set ema: ema: expected a decay, or train.Profile; got train.AdamW",
    "ema.widths=[0.1]": "has no module ema; set it whole, as in --set 'ema={Name: {widths: [0.1]}}",
    "ema={Profile: {widths: [0.5]}}": "--set ema: Profile.widths: expected numbers in (0, 0.288]",
    "clip=lots": "--set clip: clip: Input should be a valid number",
    "noise": "expected path=value",
    "a=[": "not valid YAML",
}


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_set_refuses_what_is_not_there(shell, change):
    answer = shell("train", "pictures.yaml", "--set", change)
    assert answer.code == 1
    assert WRONG[change] in answer.error
    assert len(answer.error.strip().splitlines()) == 1
    assert not (shell.folder / "run").exists()


EDITS = {
    ("ema: 0.9", "emma: 0.9"): "line 13: unknown key 'emma'",
    (
        "ema: 0.9",
        "ema: 2",
    ): "line 13: Model.ema: expected a decay in (0, 1), or train.Profile(); got 2.0",
    ("ema: 0.9", "trained: {}"): "describes a saved model; remove it",
    ("steps: 20", "stpes: 20"): "line 5: schedule.Flow has no argument 'stpes'",
    ("steps: 20", "steps: many"): "line 5: schedule.Flow.steps: Input should be a valid integer",
    ("steps: 20", "shift: -1"): "line 5: Flow.shift: expected a positive number",
    ("  Flow:", "  Flwo:"): "line 4: no schedule module is called 'Flwo'; there are Constant",
    ("levels: 17", "w: 17"): "line 2: data.Images.w comes from `source`",
    ("labels: 3", "labels: 2"): "line 2: data and net: labels must be 0 (null) to 2",
    ("loss: Simple", "loss: {Simple: {parameter: x}}"): "line 8: loss and noise: Simple",
    ("loss: Simple", "loss: [1]"): "line 8: expected a loss module",
    ("path: pictures.npz", "path: picture.npz"): "line 1: data source: no file",
    ("path: pictures.npz", "file: pictures.npz"): "line 1: source has no setting 'file'",
    ("epochs: 2", "epoch: 2"): "line 14: train has no setting 'epoch'",
    ("epochs: 2, ", ""): "train.epochs is missing; or give --epochs",
    ("loss: Simple\n", "loss: Simple\nloss: VLB\n"): "line 9: the key 'loss' is there already, on",
    ("loss: Simple", "loss: !!python/object:os.system x"): "line 8: the YAML tag",
    ("net: {UNet", "# {UNet"): "the key 'net' is missing",
    ("source: {path: pictures.npz}", ""): "the key 'source' is missing",
}


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit[1] or edit[0])
def test_every_mistake_in_a_file_has_its_line(shell, edit):
    before, after = edit
    assert before in PICTURES
    name = shell.write("bad.yaml", PICTURES.replace(before, after, 1))
    answer = shell("train", name)
    assert answer.code == 1, answer.exception
    assert EDITS[edit] in answer.error
    assert "bad.yaml" in answer.error
    assert "Traceback" not in answer.error
    assert len(answer.error.strip().splitlines()) == 1
    assert not (shell.folder / "run").exists()


def test_ids_beyond_the_classes_are_told_before_training(shell):
    wrong = (shell.folder / "text.yaml").read_text().replace(
        "Identity: {", "OneHot: {k: 5, "
    )  # fmt: skip
    answer = shell("train", shell.write("bad.yaml", wrong))
    assert answer.code == 1
    assert "line 2: data.OneHot.k: ids go up to 7, so it must be at least 8; got 5" in answer.error
    assert "The text has 8 characters." in answer.error
    for k, message in ((7, "has the classes 0..6; the data hold ids 0..7"), (8, "is the mask of")):
        answer = shell("train", "text.yaml", "--set", f"noise.k={k}", "--set", f"net.input={k}")
        assert answer.code == 1
        assert message in answer.error


def test_a_run_keeps_its_alphabet(shell):
    assert shell("train", "text.yaml").code == 0
    shell.write("text.txt", "abc de!\n" * 40)
    answer = shell("train", "text.yaml", "--epochs", "2")
    assert answer.code == 1
    assert r"was trained with data.alphabet = " in answer.error
    assert "its weights mean something else" in answer.error


def test_averages_of_several_widths_in_a_file(shell):
    whole = PICTURES.replace("ema: 0.9", "ema: {id: train.Profile, widths: [0.05, 0.1], every: 2}")
    shell.write("profile.yaml", whole)
    assert shell("train", "profile.yaml", "--epochs", "1").code == 0
    answer = shell("train", "profile.yaml", "--set", "ema.widths=[0.05, 0.1]")
    assert answer.code == 0, answer.error
    assert "changed since" not in answer.error
    model = Model.load("run/model")
    assert model.ema == Profile((0.05, 0.1), every=2)
    assert shell("check", "profile.yaml", "-q").code == 0
    assert shell("sample", "run", "-n", "2", "--steps", "2", "-o", "x.npz").code == 0
    shell.write("profile.yaml", whole.replace("[0.05", "[0.5"))
    told = shell("train", "profile.yaml").error
    assert "profile.yaml, line 13: Profile.widths: expected numbers in (0, 0.288]" in told


def test_own_classes_are_named_on_the_command_line(shell):
    shell.write("mine.py", (
        "import torch\nfrom diffusion.base import Schedule\n\n"
        "class Steep(Schedule):\n    end: float = 0.2\n"
        "    def compute(self):\n"
        "        return torch.linspace(0.999, self.end, self.steps + 1)\n"
    ))  # fmt: skip
    change = "schedule={Steep: {steps: 20, end: 0.3}}"
    missing = shell("train", "pictures.yaml", "--set", change)
    assert missing.code == 1
    assert "no schedule module is called 'Steep'" in missing.error
    own = ("--custom", "mine.py:Steep")
    answer = shell("train", "pictures.yaml", "--set", change, *own)
    assert answer.code == 0, answer.error
    assert shell("sample", "run", "-n", "2", "--steps", "2").code == 1
    assert shell("sample", "run", "-n", "2", "--steps", "2", *own).code == 0


def test_an_interruption_saves_and_says_how_to_continue(shell):
    command = [sys.executable, "-m", "diffusion.cli", "train", "pictures.yaml", "--epochs", "9999"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        deadline = time.monotonic() + 120
        while not list(shell.folder.glob("run/step-*")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "SIGINT: everything up to here is in run. The same command continues there." in error
    assert "Traceback" not in error
    step = max(int(path.name[5:]) for path in shell.folder.glob("run/step-*"))
    again = shell("train", "pictures.yaml", "--epochs", str(step // 3 + 1))
    assert again.code == 0
    assert f"continuing from run/step-{step:08d}" in again.error
