"""Ports that are given for good, or called otherwise."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import torch
from torch import Tensor

from diffusion.block import Block, BlockError, Pipeline, Repeat, Wired
from diffusion.errors import InputError, MismatchError

from .toys import Blur, Count, Decode, Encode, Fails, Toy, port

Z = torch.rand(2, 4, 4, 4)


def test_what_is_bound_is_no_input_any_more() -> None:
    half = Blur(1.0).bind(strength=0.5)
    assert list(half.ports().inputs) == ["latents"]
    torch.testing.assert_close(half(latents=Z), Z / 2)
    assert Blur(1.0).bind(latents=Z)(strength=2.0).equal(2 * Z)
    with pytest.raises(InputError, match="Wired has no input 'strength'"):
        half(latents=Z, strength=1.0)


def test_what_is_renamed_goes_by_its_new_name_only() -> None:
    one = Blur(1.0).rename(latents="state", strength="by")
    assert list(one.ports().inputs) == ["state", "by"]
    assert list(one.ports().outputs) == ["state"]
    assert torch.equal(one(state=Z, by=2.0), 2 * Z)
    with pytest.raises(InputError, match="no input 'latents'"):
        one(latents=Z)


def test_wires_on_wires() -> None:
    one = Blur(1.0).rename(strength="by").bind(by=3.0).rename(latents="z").rename(z="state")
    assert isinstance(one, Wired)
    assert one.block == Blur(1.0)
    assert (one.names, one.bound) == ({"strength": "by", "latents": "state"}, {"strength": 3.0})
    assert torch.equal(one(state=Z), 3 * Z)


def test_names_may_change_places() -> None:
    one = Toy({"a": port(int), "b": port(str)}, {"c": port(int)}).rename(a="b", b="a")
    assert one(a="word", b=1) == {"c": 3}


def test_an_input_and_an_output_may_come_to_share_a_name_and_are_renamed_together() -> None:
    one = Decode().rename(picture="latents")
    assert one.ports().inputs.keys() == one.ports().outputs.keys() == {"latents"}
    again = one.rename(latents="x")
    assert again.ports().inputs.keys() == again.ports().outputs.keys() == {"x"}
    assert torch.equal(again(x=Z), Z[:, :3])


def test_pipelines_are_bound_and_renamed_like_any_block() -> None:
    inner = Pipeline(encode=Encode(), blur=Blur()).rename(image="init", latents="z")
    pipe = Pipeline(first=inner.bind(strength=2.0), last=Decode().rename(latents="z"))
    assert list(pipe.ports().inputs) == ["init"]
    image = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(pipe(init=image), image)
    nested = Pipeline(all=pipe.rename(picture="out"))
    assert list(nested.ports().outputs) == ["out"]
    torch.testing.assert_close(nested(init=image), image)


def test_what_is_wired_is_replaced_by_its_own_path_and_through_it() -> None:
    pipe = Pipeline(
        soft=Blur(0.5).bind(strength=1.0), again=Repeat(Blur(0.5), 2).rename(latents="z")
    )
    for path in ("soft.by", "soft.block.by"):
        assert pipe.replace({path: 0.25})["soft"]["by"] == 0.25
    for path in ("again.block.by", "again.block.block.by"):
        assert pipe.replace({path: 0.25})["again"]["block"]["block"].by == 0.25
    assert pipe.replace({"again.block.times": 3})["again"]["times"] == 3
    both = pipe["soft"].replace({"block": Blur(1.0), "block.by": 0.25})
    assert both == Blur(0.25).bind(strength=1.0)
    with pytest.raises(InputError, match=r"no part 'bye'.*Did you mean 'by'"):
        pipe.replace({"soft.block.bye": 1.0})


class Mask(Block):
    def __call__(
        self, image: Annotated[Tensor, "b c h w"], mask: Annotated[Tensor, "1 1 h w"]
    ) -> Annotated[Tensor, "image: b c h w"]:
        return image * mask


def test_the_sizes_of_what_is_bound_are_those_of_the_other_ports() -> None:
    one = Mask().bind(mask=torch.ones(1, 1, 8, 8))
    assert str(Pipeline(one=one).ports().inputs["image"].shape) == "b c 8 8"
    with pytest.raises(InputError, match=r"input image: got \[2, 4, 4, 4\]"):
        one(image=Z)
    with pytest.raises(InputError, match=r"Mask.bind: mask: got \[1, 1, 4, 8\].*w = 4"):
        Mask().bind(image=Z, mask=torch.ones(1, 1, 4, 8))
    with pytest.raises(MismatchError, match='one reads it as "b 3 8 8"'):
        Pipeline(make=Toy({}, {"image": port(Tensor, "b 3 4 4")}), one=one)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda b: b.bind(strenght=1.0), "no input 'strenght'; .*Did you mean 'strength'"),
        (lambda b: b.bind(strength="much"), r"strength is float; got str: 'much'"),
        (lambda b: b.bind(latents=torch.zeros(3)), 'latents: got 1 axes for "b c h w"'),
        (lambda b: b.rename(latent="z"), "no port 'latent'; .*Did you mean 'latents'"),
        (lambda b: b.rename(latents="strength"), "two ports would be called 'strength'"),
        (lambda b: b.rename(latents="the state"), "'the state' is no name"),
        (lambda b: b.bind(strength=1.0).bind(strength=2.0), "no input 'strength'"),
        (lambda b: b.bind(strength=1.0).rename(strength="by"), "no port 'strength'"),
        (lambda b: b.rename(latents="z").rename(latents="y"), "no port 'latents'"),
        (lambda b: Decode().rename(latents="z").bind(picture=1), "no input 'picture'"),
    ],
)
def test_wrong_wires_are_refused(edit: Any, said: str) -> None:
    with pytest.raises((InputError, MismatchError), match=said):
        edit(Blur())


def test_a_block_inside_wires_is_replaced_with_its_wires() -> None:
    pipe = Pipeline(blur=Blur().bind(strength=2.0).rename(latents="z"))
    other = pipe.replace({"blur.by": 1.0})
    assert torch.equal(other(z=Z), 2 * Z)
    assert pipe["blur"]["by"] == 0.5
    assert pipe["blur"]["block"] == Blur()
    swapped = pipe.replace({"blur.block": Blur(0.25)})
    torch.testing.assert_close(swapped(z=Z), Z / 2)


def test_a_failure_inside_wires_goes_by_the_outer_name() -> None:
    with pytest.raises(BlockError, match=r"^last: RuntimeError: no more words$"):
        Pipeline(count=Count(), last=Fails().rename(text="word"))(text="a", word="words")
