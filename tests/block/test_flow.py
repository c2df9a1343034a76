"""Composing finds what can't work; its errors name both blocks, the port, and what to do."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import torch
from torch import Tensor

from diffusion.block import Block, Pipeline
from diffusion.block.flow import flow
from diffusion.errors import InputError, MismatchError

from .toys import Blur, Count, Decode, Encode, Toy, port


def toy(reads: dict[str, Any], makes: dict[str, Any] | None = None) -> Toy:
    return Toy(reads, makes or {})


def test_inputs_are_what_nothing_made_before_and_outputs_what_nothing_reads_after() -> None:
    pipe = Pipeline(encode=Encode(), blur=Blur(), decode=Decode())
    assert str(pipe.ports()) == (
        '(image: Tensor "b 3 h w", strength: float = 1.0) -> picture: Tensor "b 3 h w"'
    )
    image = torch.ones(2, 3, 4, 4)
    torch.testing.assert_close(pipe(image=image), image / 2)
    torch.testing.assert_close(pipe(image=image, strength=3.0), image * 1.5)


def test_outputs_may_be_chosen() -> None:
    pipe = Pipeline(encode=Encode(), decode=Decode(), outputs=["picture", "latents"])
    made = pipe(image=torch.ones(2, 3, 4, 4))
    assert list(made) == ["picture", "latents"]
    assert made["latents"].shape == (2, 4, 4, 4)
    with pytest.raises(MismatchError, match=r"nothing makes the output 'pictures'; .* 'picture'"):
        Pipeline(encode=Encode(), decode=Decode(), outputs=["pictures"])
    with pytest.raises(InputError, match=r"expected names; write \('picture',\)"):
        Pipeline(decode=Decode(), outputs="picture")


def test_sizes_that_one_block_fixes_reach_the_inputs_of_another() -> None:
    ports = Pipeline(blur=Blur(), decode=Decode()).ports()
    assert str(ports.inputs["latents"]) == 'Tensor "b 4 h w"'


Z, X = port(Tensor, "b c h w"), port(Tensor, "b 3 h w")
WRONG: dict[str, tuple[dict[str, Block], list[str]]] = {
    "mistyped": (
        {"count": Count(), "name": toy({"count": port(str)})},
        ["count makes count as int, and name reads it as str"],
    ),
    "misshapen": (
        {"encode": Encode(), "paint": toy({"latents": X})},
        ['encode makes latents of shape "b 4 h w"', 'paint reads it as "b 3 h w"'],
    ),
    "an axis too few": (
        {"encode": Encode(), "mean": toy({"latents": port(Tensor, "b n")})},
        ['encode makes latents of shape "b 4 h w"', 'mean reads it as "b n"'],
    ),
    "two inputs of one size, made of two": (
        {"one": toy({}, {"a": port(Tensor, "3")}), "two": toy({}, {"b": port(Tensor, "4")}),
         "add": toy({"a": port(Tensor, "n"), "b": port(Tensor, "n")})},
        ['two makes b of shape "4"', 'add reads it as "3"'],
    ),
    "readers of an input that no value satisfies": (
        {"a": toy({"x": port(int)}), "b": toy({"x": port(str)})},
        ["a and b both read x, as int and as str", 'b.rename(x="...")'],
    ),
    "readers of an input that no shape satisfies": (
        {"a": toy({"x": X}), "b": toy({"x": port(Tensor, "b 4 h w")})},
        ['a takes x of shape "b 3 h w"', 'b reads it as "b 4 h w"'],
    ),
    "clash": (
        {"one": toy({}, {"x": Z}), "two": toy({}, {"x": Z})},
        ["one and two both make x, and two does not read it", 'two.rename(x="...")'],
    ),
    "order": (
        {"decode": Decode(), "encode": Encode()},
        ["decode reads latents before encode makes it", "Put encode first"],
    ),
    "cycle": (
        {"a": toy({"x": port(int)}, {"y": port(int)}),
         "b": toy({"y": port(int)}, {"x": port(int)})},
        ["a reads x before b makes it", "If b needs what a makes, the two form a cycle"],
    ),
    "slip": (
        {"encode": toy({}, {"latent": Z}), "decode": Decode()},
        ["decode reads 'latents', which nothing makes", "encode makes 'latent'",
         "decode.rename(latents='latent')"],
    ),
    "slip of two letters that changed places": (
        {"encode": toy({}, {"latnets": Z}), "decode": Decode()},
        ["decode reads 'latents'", "encode makes 'latnets'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_work_is_refused_while_composing(name: str) -> None:
    blocks, said = WRONG[name]
    with pytest.raises(MismatchError) as found:
        Pipeline(**blocks)
    for words in said:
        assert words in str(found.value)


def test_a_slip_is_no_slip_once_the_output_is_asked_for_by_name() -> None:
    blocks: dict[str, Any] = {"encode": toy({}, {"latent": Z}), "decode": Decode()}
    assert list(Pipeline(outputs=["picture", "latent"], **blocks).ports().inputs) == ["latents"]
    numbered = {"a": toy({"image1": port(int)}), "b": toy({}, {"image2": port(int)})}
    assert list(Pipeline(**numbered).ports().outputs) == ["image2"]


def test_the_narrower_of_two_types_and_the_closer_of_two_shapes_is_asked_for() -> None:
    wide, narrow = toy({"n": port(float)}), toy({"n": port(int)})
    assert flow({"a": wide, "b": narrow}).inputs["n"].type is int
    assert flow({"a": narrow, "b": wide}).inputs["n"].type is int
    loose, tight = toy({"x": port(Tensor, "b ...")}), toy({"x": port(Tensor, "b 3 n")})
    for one, other in ((loose, tight), (tight, loose)):
        pipe = Pipeline(a=one, b=other)
        assert str(pipe.ports().inputs["x"].shape) == "b 3 n"
        with pytest.raises(InputError, match=r"input x: got 2 axes"):
            pipe(x=torch.zeros(2, 3))


def test_an_input_is_optional_if_all_that_read_it_can_do_without() -> None:
    needed, own = toy({"n": port(int)}), toy({"n": port(int | None, default=None)})
    number = toy({"n": port(int, default=3)})
    assert flow({"a": own, "b": needed}).inputs["n"].required
    found = flow({"a": own, "b": number}).inputs["n"]
    assert found.type is int
    assert found.default == 3
    with pytest.raises(InputError, match="expected int; got NoneType"):
        Pipeline(a=own, b=number)(n=None)


def test_readers_that_contradict_each_other_are_found_even_behind_an_open_shape() -> None:
    maker = toy({}, {"x": port(Tensor, "b ...")})
    one, two = toy({"x": port(Tensor, "b c")}), toy({"x": port(Tensor, "b c h")})
    assert Pipeline(a=maker, b=one)
    assert Pipeline(a=maker, b=two)
    with pytest.raises(MismatchError, match='c reads it as "b c h"'):
        Pipeline(a=maker, b=one, c=two)


def test_values_that_are_given_may_be_read_or_changed_or_made_anew() -> None:
    given = {"x": port(Tensor, "b 3")}
    changes = toy({"x": port(Tensor, "b n")}, {"x": port(Tensor, "b n")})
    assert flow({"a": changes}, given=given).inputs == {}
    assert flow({"a": toy({}, {"x": port(Tensor)})}, given=given).outputs["x"].type is Tensor
    with pytest.raises(MismatchError, match='the composition takes x of shape "b 3"'):
        flow({"a": toy({"x": port(Tensor, "b 4")})}, given=given)


def test_composing_runs_nothing() -> None:
    log: list[Toy] = []
    Pipeline(a=Toy({"x": port(int)}, {"y": port(int)}, log), b=Toy({"y": port(int)}, {}, log))
    assert log == []


class Chosen(Block):
    """A size that the block chooses, and a value of any type."""

    def __call__(self, size: int, value: Any) -> Annotated[Tensor, "x: size n"]:
        return torch.zeros(size, 5)


def test_what_only_the_work_can_tell_is_told_at_the_block_that_reads_it() -> None:
    log: list[Toy] = []
    pipe = Pipeline(make=Chosen(), read=Toy({"x": port(Tensor, "3 5")}, {}, log))
    pipe(size=3, value=None)
    with pytest.raises(ValueError, match=r'read: .*input x: got \[2, 5\] for "3 5"'):
        pipe(size=2, value=None)
    assert len(log) == 1
