"""Pipelines with control networks as data: each network by its own folder, the same pictures."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import yaml

from diffusion import hub
from diffusion.block import Control, Pipeline
from diffusion.block.file import lock
from diffusion.errors import FileError, InputError

from .conftest import Both
from .controls import adapter, controlnet, seen


class Saved(NamedTuple):
    """The folders `stable`, `edges` and `depth`, what was read from them, and `p.yaml`."""

    folder: Path
    model: Any
    own: dict[str, Any]

    def pipe(self, *names: str, **options: Any) -> Pipeline:
        several: Any = {name: self.own[name] for name in names}
        control = several if len(names) > 1 else several[names[0]]
        return Control(self.model, control, 2, "EulerDiscreteScheduler", output="tensor", **options)


@pytest.fixture(scope="module")
def saved(stable: Both, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    folder = tmp_path_factory.mktemp("control")
    shutil.copytree(stable.folder, folder / "stable")
    controlnet(folder / "edges")
    adapter(folder / "depth")
    own = {name: hub.component(folder / name) for name in ("edges", "depth")}
    made = Saved(folder, hub.load(folder / "stable"), own)
    made.pipe("edges", "depth", scale={"edges": 0.7, "depth": 0.5}).save(folder / "p.yaml")
    return made


def images(pipe: Pipeline, *names: str) -> Any:
    given = {name: seen(i) for i, name in enumerate(names)}
    shown: Any = given if len(given) > 1 else given[names[0]]
    return pipe(prompt=["a cat"], control_image=shown, seed=1)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def test_two_networks(saved: Saved) -> None:
    path, names = saved.folder / "p.yaml", ("edges", "depth")
    two = Pipeline.load(path)
    pipe = saved.pipe(*names, scale={"edges": 0.7, "depth": 0.5})
    assert torch.equal(images(two, *names), images(pipe, *names))
    two.save(saved.folder / "again.yaml")
    assert (saved.folder / "again.yaml").read_text() == path.read_text()
    models = read(path)["models"]
    assert [models[name]["network"] for name in names] == ["./edges", "./depth"]
    assert models["stable"]["load"] == "./stable"
    assert not list(saved.folder.glob("*.safetensors"))


def test_one_network_and_another_scale(saved: Saved) -> None:
    """By the words of the file."""
    path = saved.folder / "one.yaml"
    saved.pipe("edges", scale=0.7).save(path)
    plain = read(path)
    assert plain["models"]["stable"]["controls"]["control"]["scale"] == 0.7
    plain["models"]["stable"]["controls"]["control"]["scale"] = 0.2
    path.write_text(yaml.dump(plain, sort_keys=False))
    weaker = saved.pipe("edges", scale=0.2)
    assert torch.equal(images(Pipeline.load(path), "edges"), images(weaker, "edges"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network": "edges", "scale": 1.0, "weight": 2}, "no key 'weight'; it has network, scale"),
        ({"network": "edge", "scale": 1.0}, "no model 'edge'.*Did you mean 'edges'"),
        ({"network": "edges"}, "controls.edges: the key 'scale' is missing"),
        ({"network": "unet", "scale": 1.0}, "a ControlNetModel or a T2IAdapter.*UNet2D"),
    ],
)
def test_bad_files(saved: Saved, change: dict[str, Any], said: str) -> None:
    path, plain = saved.folder / "bad.yaml", read(saved.folder / "p.yaml")
    plain["models"]["stable"]["controls"]["edges"] = change
    plain["models"]["unet"] = {"network": "./stable/unet"}
    path.write_text(yaml.dump(plain, sort_keys=False))
    with pytest.raises(FileError, match=said):
        Pipeline.load(path)


def test_weights_of_control_are_pinned(saved: Saved, tmp_path: Path) -> None:
    folder = tmp_path / "copy"  # where they are moved together
    shutil.copytree(saved.folder, folder)
    lock(folder / "p.yaml")
    files = read(folder / "p.lock")["models"]["depth"]["files"]
    assert {"config.json", "diffusion_pytorch_model.safetensors"} <= set(files)
    assert images(Pipeline.load(folder / "p.yaml", locked=True), "edges", "depth").shape[0] == 1
    controlnet(folder / "edges", seed=1)
    with pytest.raises(FileError, match=r"weights in .*edges are not those that this file was"):
        Pipeline.load(folder / "p.yaml")


def test_weights_that_are_in_no_folder_are_written_beside(saved: Saved, tmp_path: Path) -> None:
    """Both the base, in the format that holds it, and the control network."""
    shutil.copytree(saved.folder / "stable", tmp_path / "stable")
    shutil.copytree(saved.folder / "edges", tmp_path / "edges")
    own = {"edges": hub.component(tmp_path / "edges")}
    pipe = Saved(tmp_path, hub.load(tmp_path / "stable"), own).pipe("edges", scale=0.7)
    network = pipe["denoise"].model.net.network
    with torch.no_grad():
        for one in (network.network, network.networks[0]):
            next(one.parameters()).mul_(1.5)
    with pytest.raises(InputError, match=r"weights are not .any more. those of.*stable"):
        pipe.save(tmp_path / "p.yaml")
    wanted = images(pipe, "edges")
    pipe.save(tmp_path / "p.yaml", weights=True)
    shutil.rmtree(tmp_path / "stable")
    shutil.rmtree(tmp_path / "edges")
    assert torch.equal(images(Pipeline.load(tmp_path / "p.yaml"), "edges"), wanted)
