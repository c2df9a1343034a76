"""`diffusion solvers` and `diffusion tune`."""

import json
from pathlib import Path

import torch

import diffusion
from diffusion import data, guidance, net, noise, sampler, schedule, time


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


def test_solvers_prints_a_table_and_draws_a_plot(shell, tmp_path):
    folder = saved(tmp_path)
    answer = shell("solvers", folder, "--calls", "4,8", "-n", "2", "-o", tmp_path / "plot.png")
    assert answer.code == 0, answer.error
    rows = [line.split() for line in answer.out.splitlines()]
    first = next(row for row in rows if row[0] == "Adams")
    assert all(float(cell) >= 0 for cell in first[1:3])
    assert {"DDIM", "UniPC", "RK4"} <= {row[0] for row in rows if row}
    assert "Heun" not in answer.out  # it can't start from pure noise
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"


def test_solvers_as_json(shell, tmp_path):
    answer = shell(
        "solvers", saved(tmp_path), "--calls", "4", "-n", "2", "--guidance", "0", "--json"
    )
    found = json.loads(answer.out)
    assert found["DDIM"]["calls"] == [4]
    assert 0.7 < found["DDIM"]["order"] < 1.3


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
    for command in ("solvers", "tune"):
        answer = shell(command, tokens)
        assert answer.code == 1
        assert "Absorbing has not" in answer.error
