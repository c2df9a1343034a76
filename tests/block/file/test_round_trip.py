"""Pipelines of every composition come back from their files equal, and do the same."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import diffusion
from diffusion import Model, grid, guidance, sampler, schedule
from diffusion.block import (
    Branch,
    Decode,
    Denoise,
    Encode,
    Map,
    Parallel,
    Pipeline,
    Repeat,
    Wired,
    scheduled,
)  # fmt: skip
from diffusion.component import same
from diffusion.errors import DiffusionError, FileError, InputError

from .blocks import Both, Darken, Filter, Filtered, Shift, Twice
from .conftest import theirs, tiny

CUSTOM = [Both, Darken, Filter, Filtered, Shift, Twice]


def back(pipe, path: Path, **options):
    """What comes back from a file, which says the same when it is written again."""
    pipe.save(path, **options)
    found = type(pipe).load(path, custom=CUSTOM)
    again = path.with_name("second.yaml")
    found.save(again, **options)
    assert again.read_text().replace("second-", f"{path.stem}-") == path.read_text()
    return found


def test_a_pipeline_makes_the_same_pictures(pipe, tmp_path):
    two = back(pipe, tmp_path / "p.yaml")
    assert torch.equal(two(batch=2, seed=0), pipe(batch=2, seed=0))
    assert two["denoise"].model is two["decode"].model


def compositions(model):
    image = Darken(0.25, "1e-3")
    return {
        "wired": Decode(model).rename(image="picture", latents="z") >> Darken(
            ).rename(image="picture").bind(),
        "bound": Wired(Denoise(model, 4), {"seed": "number"}, {"batch": 2, "strength": None}),
        "branch": Branch("mask", Darken(0.1), Darken(0.2)),
        "branch alone": Branch("yes", Pipeline(a=Darken(), b=Darken(0.3))),
        "parallel": Parallel(a=image, b=image.rename(image="x")),
        "repeat": Repeat(Repeat(Darken(0.9), 2), 3),
        "map": Map(Encode(model) >> Decode(model).rename(image="picture"), "image"),
        "each": Denoise(model, grid.Karras(5), sampler.Adams(), each={
            "shift": Shift().bind(amount=0.1), "again": Shift().rename(amount="more")}),
        "times": Denoise(model, [1.0, 0.5, 0.0], progress=True),
        "outputs": Pipeline(outputs=["latents", "image"], denoise=Denoise(model),
                            decode=Decode(model)),
        "custom": Pipeline(all=Twice(Twice(image, "yes: no", other=Darken(1e-9)), inner2=image)),
        "deep": Pipeline(a=Pipeline(b=Pipeline(c=Pipeline(d=Pipeline(e=image))))),
        "names": Pipeline(model=image, map=Darken(), id=Darken(2.0)),
    }  # fmt: skip


@pytest.mark.parametrize("name", compositions(tiny()))
def test_every_composition(name, model, tmp_path):
    pipe = compositions(model)[name]
    two = back(pipe, tmp_path / "p.yaml")
    assert str(two.ports()) == str(pipe.ports())
    assert two == pipe or "models:" in (tmp_path / "p.yaml").read_text()  # equal themselves only
    assert _shape(two) == _shape(pipe)


def _shape(block):
    """Classes and names, inside out."""
    return type(block), {key: _shape(inner) for key, inner in block.children().items()}


def test_values_of_all_kinds(model, tmp_path):
    one = Both(
        [3, 4], {"a": 1e-5, "b": "1e-5", "model": "digits", "id": "x", "map": {"map": {"x": ""}},
                 "date": "2024-13-45", "on": "off", "text": "cafe\u0301: {a} \n# b", "none": None,
                 "inf": float("inf"), "t": torch.arange(3.0)},
        [model, {"again": model}], model, sampler.DDIM(0.5), torch.eye(2),
    )  # fmt: skip
    two = back(Pipeline(both=one), tmp_path / "p.yaml")["both"]
    assert two.sizes_ == [3, 4]
    assert same(two.names, one.names)
    assert same(two.weight, torch.eye(2))
    assert two.models[0] is two.one is two.models[1]["again"]
    assert two.sampler == one.sampler
    assert len(list(tmp_path.glob("p-*.safetensors"))) == 1


def test_models_that_share_weights_share_them_again(model, tmp_path):
    slow = model.replace(sampler=sampler.Ancestral(), schedule=schedule.Linear(50))
    two = back(Pipeline(a=Denoise(model, 2).rename(latents="z"), b=Denoise(slow, 3)),
               tmp_path / "p.yaml")  # fmt: skip
    a, b = two["a"].block.model, two["b"].model
    assert a is not b
    assert a.net is b.net
    assert b.sampler == sampler.Ancestral()
    assert b.schedule == schedule.Linear(50)
    assert (tmp_path / "p.yaml").read_text().count("load: ./digits") == 2


def test_a_model_built_in_python_is_saved_beside_on_demand(tmp_path):
    net = tiny()
    pipe = Pipeline(
        a=Denoise(net, 2).rename(latents="z"), b=Denoise(net.replace(sampler=sampler.Adams()), 2)
    )
    with pytest.raises(InputError, match=r"Pipeline\.a\.block\.model: .*weights=True"):
        pipe.save(tmp_path / "p.yaml")
    assert not list(tmp_path.iterdir())
    two = back(pipe, tmp_path / "p.yaml", weights=True)
    assert [path.name for path in (tmp_path / "p-models").iterdir()] == ["model"]
    assert torch.equal(two(batch=1, seed=1)["z"], pipe(batch=1, seed=1)["z"])


def test_weights_that_changed_since_they_were_read_are_not_lost(pipe, model, tmp_path):
    with torch.no_grad():
        next(model.parts.parameters()).add_(1.0)
    with pytest.raises(InputError, match=r"weights are not .any more. those of.*digits"):
        pipe.save(tmp_path / "p.yaml")
    with pytest.raises(InputError, match="weights are not"):
        Pipeline(a=Denoise(model.replace(net=tiny(1).net))).save(tmp_path / "p.yaml")
    model.save(tmp_path / "new")
    assert torch.equal(back(pipe, tmp_path / "p.yaml")(batch=1, seed=0), pipe(batch=1, seed=0))


def test_a_network_of_a_block_of_ones_own(tmp_path):
    network = Filter(5)
    pipe = Pipeline(a=Filtered(network), b=Filtered(network))
    with pytest.raises(InputError, match="weights of this Filter are in no folder"):
        pipe.save(tmp_path / "p.yaml")
    pipe.save(tmp_path / "p.yaml", weights=True)
    two = Pipeline.load(tmp_path / "p.yaml", custom=CUSTOM)
    assert two["a"].network is two["b"].network
    image = torch.randn(1, 1, 8, 8)
    assert torch.equal(two(image=image), pipe(image=image))


def test_what_no_file_can_hold_is_an_error_with_its_place(tmp_path):
    for value, word in ((lambda x: x, "function"), (object(), "object"), ({1: 2}, "words; got 1")):
        with pytest.raises(InputError, match=rf"Pipeline\.it\.models.*{word}"):
            Pipeline(it=Both([1], {}, value)).save(tmp_path / "p.yaml")
    with pytest.raises(InputError, match=r"ends in \.yaml"):
        Pipeline(it=Darken()).save(tmp_path / "p.txt")
    deep = Darken()
    for _ in range(20):
        deep = Pipeline(a=deep)
    with pytest.raises(InputError, match="nested deeper"):
        deep.save(tmp_path / "p.yaml")
    assert not list(tmp_path.iterdir())


def test_folders_can_move_together(pipe, tmp_path):
    here = tmp_path / "one"
    here.mkdir()
    (tmp_path / "digits").rename(here / "digits")
    model = Model.load(here / "digits")
    Pipeline(denoise=Denoise(model, steps=2)).save(here / "p.yaml")
    here.rename(tmp_path / "two")
    assert Pipeline.load(tmp_path / "two" / "p.yaml")(batch=1, seed=0).shape == (1, 1, 8, 8)


def test_a_model_of_diffusers_with_another_sampler(tmp_path):
    theirs().save(tmp_path / "theirs", format="diffusers")
    model = diffusion.load(tmp_path / "theirs", shape=(1, 16, 16))
    pipe = Pipeline(denoise=Denoise(model.replace(sampler=sampler.Adams(order=3)), 2))
    two = back(pipe, tmp_path / "p.yaml")
    assert two["denoise"].model.sampler == sampler.Adams(order=3)
    assert two["denoise"].model.shape == (1, 16, 16)
    assert torch.equal(two(batch=1, seed=0), pipe(batch=1, seed=0))
    euler = scheduled(model, "EulerDiscreteScheduler")  # tells its network the time otherwise
    assert euler.net.timestep != model.net.timestep
    pipe = Pipeline(denoise=Denoise(euler, 2))
    two = back(pipe, tmp_path / "p.yaml")
    assert two["denoise"].model.net.timestep == euler.net.timestep
    assert torch.equal(two(batch=1, seed=0), pipe(batch=1, seed=0))


def test_loading_says_what_it_found(pipe, tmp_path):
    pipe.save(tmp_path / "p.yaml")
    with pytest.raises(FileError, match="holds a Pipeline; expected a Parallel"):
        Parallel.load(tmp_path / "p.yaml")
    with pytest.raises(FileError, match="no such file"):
        Pipeline.load(tmp_path / "q.yaml")


def test_saving_leaves_the_former_file_whole(pipe, tmp_path, monkeypatch):
    pipe.save(tmp_path / "p.yaml")
    before = (tmp_path / "p.yaml").read_bytes()
    real = Path.replace

    def full(self, target):
        if Path(target).suffix == ".yaml":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DiffusionError, match="No space left"):
        pipe.replace({"denoise.steps": 9}).save(tmp_path / "p.yaml")
    assert (tmp_path / "p.yaml").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits", "p.yaml"]


def test_guidance_with_modules_inside(tmp_path):
    model = tiny()
    chain = guidance.Chain((guidance.Threshold(), guidance.Threshold("static")))
    assert isinstance(model.replace(guidance=chain).net, torch.nn.Module)
    pipe = Pipeline(denoise=Denoise(model, 2, guidance=chain))
    assert back(pipe, tmp_path / "p.yaml", weights=True)["denoise"].guidance == chain
    assert isinstance(pipe(batch=1, seed=0), Tensor)
