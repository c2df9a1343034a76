"""`diffusion solvers` and `diffusion tune`."""

import json
from pathlib import Path

import pytest
import torch

import diffusion
from diffusion import data, guidance, net, noise, sampler, schedule, time
from diffusion.cli import solvers as command
from diffusion.exact import beds
from diffusion.sampling.compare import SOLVERS


def saved(folder: Path, **modules: object) -> Path:
    torch.manual_seed(0)
    own: dict = {
        "data": data.Identity(torch.randn(16, 3), torch.arange(16) % 2 + 1, batch=8),
        "schedule": schedule.Flow(50), "noise": noise.Gaussian("velocity"),
        "net": net.MLP(3, labels=2, hidden=8), "time": time.Continuous(),
        "guidance": guidance.ClassifierFree(),
    }  # fmt: skip
    diffusion.Model(**{**own, **modules}).save(folder / "model")
    return folder / "model"


@pytest.fixture
def few(monkeypatch):
    """Some of the samplers: all of them take half a minute on the known laws."""
    names = ("DDIM", "UniPC", "Adams", "Heun", "RK4", "Adaptive 0.01", "SDE")
    monkeypatch.setattr(command, "SOLVERS", {name: SOLVERS[name] for name in names})


def test_solvers_prints_a_table_and_draws_a_plot(shell, tmp_path, few):
    folder = saved(tmp_path)
    answer = shell("solvers", folder, "--calls", "2,8", "-n", "2", "-o", tmp_path / "plot.png")
    assert answer.code == 0, answer.error
    model, laws, left = answer.out.split("\n\n")
    assert "where 80 steps of the model's own ODE end" in model
    rows = {line.split()[0]: line.split()[1:] for line in model.splitlines()[2:]}
    assert all(float(cell) >= 0 for cell in rows["Adams"])
    assert rows["Heun"][2] == "*"
    assert "* from sigma/signal = 80 on: it can't start from pure noise" in model
    assert rows["RK4"][0] == "-"
    assert rows["Adaptive"][2] == "in"
    assert "SDE" not in rows
    exact = {line.split()[0]: line.split()[1:] for line in laws.splitlines()[1:]}
    assert float(exact["UniPC"][1]) < 0.1
    assert 3.7 < float(exact["RK4"][2]) < 4.3
    assert "SDE: draws noise" in left
    assert "RK4: at 2 calls: RK4: expected 4 network calls" in left
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"


def test_solvers_as_json(shell, tmp_path, few):
    answer = shell(
        "solvers", saved(tmp_path), "--calls", "4", "-n", "2", "--guidance", "0", "--json"
    )
    found = json.loads(answer.out)
    assert found["DDIM"]["calls"] == found["DDIM"]["bed_calls"] == [4]
    assert 0.7 < found["DDIM"]["order"] < 1.3
    assert set(found["DDIM"]["beds"]) == set(beds())
    assert found["SDE"]["order"] is None
    assert found["SDE"]["reason"].startswith("draws noise")


def test_tune_saves_its_finding_with_the_model(shell, tmp_path):
    folder = saved(tmp_path)
    answer = shell("tune", folder, "--steps", "5", "--seconds", "1", "-n", "4")
    assert answer.code == 0, answer.error
    assert "5 steps: Adams" in answer.out
    again = diffusion.Model.load(folder)
    assert isinstance(again.sampler, sampler.Tuned)
    assert len(again.sampler.ratios[0]) == 5
    assert shell("sample", folder, "--steps", "5", "-n", "2", "-o", tmp_path / "x.npz").code == 0


def test_what_is_wrong_is_told(shell, tmp_path):
    folder = saved(tmp_path)
    assert "--calls: expected numbers such as 5,8,12; got 'few'" in shell(
        "solvers", folder, "--calls", "few").error  # fmt: skip
    tokens = saved(
        tmp_path / "tokens", data=data.Identity(torch.randint(0, 4, (8, 5))),
        schedule=schedule.Cosine(10), noise=noise.Absorbing(5), guidance=None,
        time=time.Discrete(), net=net.Transformer(5, width=8, heads=2),
    )  # fmt: skip
    for name in ("solvers", "tune"):
        answer = shell(name, tokens)
        assert answer.code == 1
        assert "compared by where the ODE leads, and Absorbing has none" in answer.error
