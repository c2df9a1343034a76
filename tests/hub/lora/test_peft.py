"""The same output as Diffusers with peft, for every naming that it reads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from diffusion.hub.lora import read

from ..parity import distance, pair
from ..text import tiny
from . import nets, packages
from .jobs import JOBS

AGREE = 1e-5
REFERENCE = Path(__file__).with_name("reference.py")


def network(name, folder):
    """One of ours and a folder for Diffusers, or a text encoder."""
    torch.manual_seed(0)
    if name.startswith("text_encoder"):
        ours = tiny.clip(8, projected=name.endswith("2"))
        ours.save_pretrained(folder)
        return ours, {"input_ids": torch.tensor([[1, 5, 9, len(tiny.clip_tokenizer()) - 1]])}
    ours, theirs = pair(nets.CASES[name])
    theirs.save_pretrained(folder)
    return ours, nets.CASES[name].inputs()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Our networks, their inputs and what Diffusers says, all of it by one program."""
    root = tmp_path_factory.mktemp("lora")
    found = {name: network(name, root / name) for name in {job.net for job in JOBS.values()}}
    listed = []
    for i, job in enumerate(JOBS.values()):
        ours, inputs = found[job.net]
        torch.save(inputs, root / f"{job.net}.pt")
        paths = [
            job.make(ours, root / f"{i}-{j}.safetensors", j) for j in range(len(job.strengths))
        ]
        listed.append({
            "network": str(root / job.net), "of": job.of, "files": [*map(str, paths)],
            "strengths": job.strengths, "inputs": str(root / f"{job.net}.pt"),
            "output": str(root / f"{i}.out"),
        })  # fmt: skip
    (root / "jobs.json").write_text(json.dumps(listed))
    done = subprocess.run(
        [sys.executable, str(REFERENCE), str(root / "jobs.json")], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": packages.path()}, timeout=packages.SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return found, dict(zip(JOBS, listed, strict=True))


@pytest.mark.parametrize("name", JOBS)
def test_the_same_output(name, prepared):
    found, listed = prepared
    job, (ours, inputs) = JOBS[name], found[JOBS[name].net]
    part = job.net if job.net.startswith("text") else "denoiser"
    want = [load_file(listed[name]["output"])["said"]]
    plain = said(ours, inputs)
    attached = [
        read(path).attach(ours, strength, part=part)
        for path, strength in zip(listed[name]["files"], job.strengths, strict=True)
    ]
    beside = distance(said(ours, inputs), want)
    for one in attached:
        one.merge()
    inside = distance(said(ours, inputs), want)
    for one in attached:
        one.detach()
    assert distance(plain, want) > 1e-2
    assert max(beside, inside) < AGREE


def said(network, inputs):
    torch.manual_seed(0)
    with torch.no_grad():
        found = network(**inputs)
    return [found if isinstance(found, torch.Tensor) else found[0]]
