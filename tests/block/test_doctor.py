"""The doctor finds what is wrong with a block, names it, and nothing else."""

from typing import Annotated, Any

import pytest
import torch
from torch import Tensor

from diffusion import sampler
from diffusion.base import Sampler
from diffusion.block import Block, Branch, Decode, Denoise, Encode, Map, Pipeline, Repeat
from diffusion.block.conduct import EXAMS
from diffusion.block.doctor import examine
from diffusion.block.invent import invent
from diffusion.errors import InputError

from .file.blocks import Both, Darken, Shift
from .file.conftest import tiny

Image = Annotated[Tensor, "b c h w"]
Made = Annotated[Tensor, "image: b c h w"]


class Good(Block):
    def __call__(self, image: Image) -> Made:
        return image * 2


class Raises(Block):
    def __call__(self, image: Image) -> Made:
        raise RuntimeError("out of order")


class Random(Block):
    def __call__(self, image: Image) -> Made:
        return image + torch.rand(1)


class Remembers(Block):
    def __post_init__(self) -> None:
        self.count = 0

    def __call__(self, image: Image) -> Made:
        self.count += 1
        return image * self.count


class InPlace(Block):
    def __call__(self, image: Image) -> Made:
        return image.mul_(2)


class Mixes(Block):
    def __call__(self, image: Image) -> Made:
        return image - image.mean()


class Lies(Block):
    def __call__(self, image: Image) -> Made:
        return image[:, :, ::2]


class LiesAboutType(Block):
    def __call__(self, image: Image) -> Made:
        return "no image"


FAULTS = {
    Good: set(), Raises: {"runs"}, Random: {"same again"}, Remembers: {"same again"},
    InPlace: {"inputs kept"}, Mixes: {"each alone"}, Lies: {"runs"}, LiesAboutType: {"runs"},
}  # fmt: skip


def failed(health, place):
    return {one.name for one in health.blocks[place] if one.passed is False}


@pytest.mark.parametrize("cls", FAULTS, ids=lambda cls: cls.__name__)
def test_each_fault_is_found_and_no_other(cls):
    health = examine(Pipeline(first=Good(), bad=cls(), last=Good()))
    assert failed(health, "bad") - {"each alone"} == FAULTS[cls] - {"each alone"}
    assert FAULTS[cls] <= failed(health, "bad")
    assert not failed(health, "first")
    assert not failed(health, "last")
    assert health.ok is (cls is Good)
    assert ("FAIL  bad: " in str(health)) is not health.ok


def test_a_sound_pipeline_is_sound_with_all_its_modules():
    model = tiny()
    pipe = Pipeline(
        denoise=Denoise(model, 2, sampler.DDIM(), each={"shift": Shift()}),
        decode=Decode(model).rename(image="picture"),
        more=Repeat(Darken(0.5), 2).rename(image="picture"),
        dark=Branch("night", Darken(), Darken(0.9)).rename(image="picture"),
    )
    health = examine(pipe)
    assert health.ok, str(health)
    assert [*health.blocks] == [
        "Pipeline", "denoise", "denoise.shift", "decode", "more", "more.block", "dark", "dark.then",
        "dark.otherwise",
    ]  # fmt: skip
    assert health.modules.keys() == {"denoise.model", "denoise.sampler"}
    assert len(health.modules["denoise.model"]) > 50
    alone = [one for one in health.blocks["decode"] if one.name == "each alone"]
    assert alone[0].passed is True


class Drifts(Sampler):
    """A sampler that takes no step from where it is."""

    def __call__(self, noise, predict, z, y, times, rng):
        for t in times[:-1]:
            predict(z, y, t)
            yield torch.randn(z.shape)


class Holds(Block):
    sampler: Sampler

    def __call__(self, image: Image) -> Made:
        return image


def test_a_bad_module_inside_is_found():
    health = examine(Pipeline(a=Good(), b=Holds(Drifts())))
    assert not failed(health, "b")
    assert health.modules["b.sampler"].failures
    assert "FAIL  b.sampler: " in str(health)
    health = examine(Pipeline(denoise=Denoise(tiny(), 2, Drifts())), modules=False)
    assert failed(health, "denoise") == {"same again", "each alone"}
    assert not health.modules


def test_inputs_are_invented_from_ports():
    model = tiny()
    with torch.random.fork_rng():
        made = invent(Pipeline(encode=Encode(model), decode=Decode(model).rename(image="out")))
        assert made["image"].shape == (2, 1, 8, 8)
        assert made["image"].dtype == torch.uint8
        assert invent(Denoise(model, 2)).keys() == {"seed", "batch"}
        assert isinstance(invent(Map(Good(), "image"))["image"], Tensor)
        assert invent(Shift().rename(state="z"))["z"].dim() == 4
        assert invent(Good())["image"].shape[0] == 2


def test_what_can_not_be_invented_is_asked_for():
    class Asks(Block):
        def __call__(self, what: Both) -> Annotated[Any, "it"]:
            return what

    with pytest.raises(InputError, match=r"what: no value can be invented for Both; give recorded"):
        invent(Asks())
    health = examine(Pipeline(asks=Asks()))
    assert "no value can be invented" in str(health)
    given = {"what": Both([1], {}, None)}
    assert examine(Pipeline(asks=Asks()), given).ok


def test_recorded_inputs_are_used():
    health = examine(Pipeline(a=Good(), b=Raises(), c=Good()), {"image": torch.ones(3, 1, 4, 4)},
                     {("c",): {"image": torch.full((1, 1, 2, 2), torch.nan)}})  # fmt: skip
    names = [one.name for one in EXAMS]
    assert [one.name for one in health.blocks["c"]] == names
    assert not failed(health, "c")
    assert failed(health, "b") == {"runs"}
    assert "raised RuntimeError: out of order" in str(health)
