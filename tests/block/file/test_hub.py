"""Pipelines of models in repositories of a hub: pinned by commit, by hash, and by the lock."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

from diffusion import hub
from diffusion.hub.save import save_component

from ...hub.server import SHA, serving
from .conftest import theirs

PROGRAM = """
import diffusion, sys, yaml
from diffusion.block import Decode, Denoise, Pipeline
from diffusion.block.file import lock
from tests.block.file.blocks import Held
path = sys.argv[1]
model = diffusion.load("owner/digits")
Pipeline(denoise=Denoise(model, 2), decode=Decode(model)).save(path)
free = path.replace("pinned.yaml", "free.yaml")
plain = yaml.safe_load(open(path))
plain["models"]["digits"] = {"load": "owner/digits"}
open(free, "w").write(yaml.dump(plain, sort_keys=False))
two = Pipeline.load(free)
print(two["denoise"].model.source.commit, two["denoise"].model is two["decode"].model)
lock(free)
print(Pipeline.load(free, locked=True)(batch=1, seed=0).shape)
network = path.replace("pinned.yaml", "network.yaml")
Pipeline(a=Held(diffusion.hub.component("owner/depth"))).save(network)
print(Pipeline.load(network, custom=[Held])["a"].network.source.commit)
"""


def test_a_repository_is_pinned(tmp_path: Path) -> None:
    theirs().save(tmp_path / "hub/owner/digits", format="diffusers")
    save_component(hub.net.T2IAdapter(channels=(8,)), tmp_path / "hub/owner/depth")
    path = tmp_path / "pinned.yaml"
    with serving(tmp_path / "hub") as address:
        environ = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"),
                   "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_XET": "1"}  # fmt: skip
        words = [sys.executable, "-c", PROGRAM, str(path)]
        done = subprocess.run(words, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{SHA} True", "torch.Size([1, 1, 8, 8])", SHA]
    entry = yaml.safe_load(path.read_text())["models"]["digits"]
    assert (entry["load"], entry["revision"]) == ("owner/digits", SHA)
    locked = yaml.safe_load((tmp_path / "free.lock").read_text())["models"]["digits"]
    assert locked["commit"] == SHA
    weights = "unet/diffusion_pytorch_model.safetensors"
    assert {weights, "model_index.json"} <= locked["files"].keys()
    entry = yaml.safe_load((tmp_path / "network.yaml").read_text())["models"]["depth"]
    assert (entry["network"], entry["revision"]) == ("owner/depth", SHA)
