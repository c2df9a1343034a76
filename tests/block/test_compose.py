"""Branches, parallel blocks, and blocks that run many times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import pytest
import torch
from torch import Tensor

from diffusion.block import Block, BlockError, Branch, Map, Parallel, Pipeline, Repeat
from diffusion.block.port import Port
from diffusion.errors import InputError, MismatchError

from .toys import Blur, Count, Decode, Encode, Fails, Split, Toy, port

IMAGE = torch.rand(2, 3, 4, 4)


class Fill(Block):
    def __call__(
        self,
        image: Annotated[Tensor, "b c h w"],
        mask: Annotated[Tensor, "b 1 h w"],
        value: float,
    ) -> Annotated[Tensor, "image: b c h w"]:
        return torch.where(mask > 0, value, image)


class Invert(Block):
    def __call__(
        self, image: Annotated[Tensor, "b c h w"], share: float = 1.0
    ) -> Annotated[Tensor, "image: b c h w"]:
        return share - image


class Larger(Block):
    def __call__(self, image: Annotated[Tensor, "b c h w"]) -> Annotated[Tensor, "image: b c H W"]:
        return image.repeat_interleave(2, -1).repeat_interleave(2, -2)


MASK = torch.ones(2, 1, 4, 4)


def test_a_branch_is_chosen_by_whether_its_input_is_given() -> None:
    branch = Branch("mask", Fill(), Invert())
    ports = branch.ports()
    assert ports.inputs["image"].required
    assert [ports.inputs[key].default for key in ("mask", "value", "share")] == [None, None, 1.0]
    assert branch(image=IMAGE, mask=MASK, value=0.5).eq(0.5).all()
    for nothing in ({}, {"mask": None}):
        torch.testing.assert_close(branch(image=IMAGE, **nothing), 1 - IMAGE)


def test_without_another_side_a_branch_leaves_values_as_they_are() -> None:
    branch = Branch("mask", Fill())
    assert branch(image=IMAGE) is IMAGE
    with pytest.raises(InputError, match="needs image"):
        branch(mask=MASK)
    flag = Branch("flip", Invert())
    assert flag(image=IMAGE, flip=False) is IMAGE
    torch.testing.assert_close(flag(image=IMAGE, flip=True), 1 - IMAGE)


def test_what_the_chosen_side_needs_is_asked_for_before_any_work() -> None:
    log: list[Toy] = []
    pipe = Pipeline(first=Toy({}, {"seen": port(bool)}, log), fill=Branch("mask", Fill(), Invert()))
    outer = Map(Parallel(it=Repeat(pipe.workflow(["image"]), 2)), over="image")
    for block in (pipe, Pipeline(all=pipe.rename(seen="done")), outer):
        with pytest.raises(InputError, match=r"Branch: with mask, Fill needs value \(float\)") as e:
            block(image=IMAGE, mask=MASK[:1] if block is outer else MASK)
        assert not isinstance(e.value, BlockError)
    assert log == []
    made = Pipeline(mask=Toy({}, {"mask": port(Tensor, "2 1 4 4")}, log), fill=pipe["fill"])
    with pytest.raises(InputError, match="with mask, Fill needs value"):
        made(image=IMAGE)


def test_a_branch_on_a_value_that_a_block_makes() -> None:
    decide = Toy({}, {"mask": port(bool)})
    side = Toy({"x": port(int)}, {"y": port(int)})
    pipe = Pipeline(decide=decide, branch=Branch("mask", side, Toy({}, {"y": port(int)})))
    assert pipe(x=1) == 3
    with pytest.raises(BlockError, match="needs x"):
        pipe()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Branch("mask", Encode(), Invert()), "then makes latents, otherwise makes image"),
        (lambda: Branch("image", Encode()), "without image, nothing would make latents"),
        (lambda: Branch("image", Invert()), "without image, nothing would make image"),
        (lambda: Branch("maks", Fill(), Invert()), "no block reads 'maks', but there is 'mask'"),
        (
            lambda: Branch("x", Toy({}, {"n": port(int)}), Toy({}, {"n": port(str)})),
            "then makes n as int, otherwise as str",
        ),
        (
            lambda: Branch(
                "x", Toy({}, {"z": port(Tensor, "b 3")}), Toy({}, {"z": port(Tensor, "b 4")})
            ),
            'then makes z as Tensor "b 3", otherwise as Tensor "b2 4"',
        ),
        (
            lambda: Branch("x", Toy({"image": port(str)}, {"image": port(str)}), Invert()),
            "then and otherwise both read image, as str and as Tensor",
        ),
    ],
)
def test_sides_that_do_not_make_the_same_are_refused(make: Any, said: str) -> None:
    with pytest.raises(MismatchError, match=said):
        make()


def test_of_the_shape_of_either_side_only_what_both_say_is_known() -> None:
    branch = Branch("large", Larger(), Invert())
    assert str(branch.ports().outputs["image"].shape) == "b c H2 W2"
    assert branch(image=IMAGE, large=True).shape == (2, 3, 8, 8)


def test_parallel_blocks_read_the_same_and_do_not_see_each_other() -> None:
    both = Parallel(a=Invert(), b=Split().rename(low="image2"))
    assert both.ports().outputs.keys() == {"image", "image2", "high"}
    made = both(image=IMAGE, values=torch.tensor([-1.0, 1.0]))
    assert made["image2"].tolist() == [-1.0, 0.0]
    with pytest.raises(MismatchError, match='b reads it as "n"'):
        Parallel(a=Invert(), b=Split().rename(values="image"))
    swap = Parallel(
        a=Toy({"a": port(int)}, {"b": port(int)}), b=Toy({"b": port(int)}, {"a": port(int)})
    )
    assert swap(a=1, b=2) == {"a": 3, "b": 3}
    with pytest.raises(MismatchError, match=r"a and b both make image. Rename one: b.rename"):
        Parallel(a=Invert(), b=Invert())
    with pytest.raises(InputError, match="Parallel: expected at least one block"):
        Parallel()


def test_sizes_of_parallel_blocks_are_their_own() -> None:
    pair = {"x": port(Tensor, "n"), "y": port(Tensor, "n")}
    one = Toy({"p": port(Tensor, "n")}, {"x": port(Tensor, "n")})
    two = Toy({"q": port(Tensor, "n")}, {"y": port(Tensor, "n")})
    pipe = Pipeline(both=Parallel(a=one, b=two), add=Toy(pair, {}))
    pipe(p=torch.ones(3), q=torch.ones(3))
    with pytest.raises(InputError, match=r"Pipeline's input q: got \[4\]"):
        pipe(p=torch.ones(3), q=torch.ones(4))


def test_a_repeated_block_reads_what_it_made() -> None:
    thrice = Repeat(Blur(), 3)
    latents = torch.ones(2, 4, 4, 4)
    torch.testing.assert_close(thrice(latents=latents), latents / 8)
    torch.testing.assert_close(thrice(latents=latents, strength=2.0), latents)
    grown = Repeat(Larger(), 3)
    assert str(grown.ports().outputs["image"].shape) == "b c h2 w2"
    assert grown(image=IMAGE).shape == (2, 3, 32, 32)
    assert Repeat(Larger(), 1).ports() == Larger().ports()


@pytest.mark.parametrize(
    ("block", "times", "said"),
    [
        (Encode(), 2, "makes latents, which it does not read.*It reads image"),
        (Toy({"x": port(int)}, {"x": port(str)}), 2, "x is made as str, and read again as int"),
        (
            Toy({"x": port(Tensor, "b 3")}, {"x": port(Tensor, "b 4")}),
            2,
            'made as Tensor "b 4", and read again as Tensor "b 3"',
        ),
        (Blur(), 0, "Repeat.times: expected at least 1; got 0"),
        (Blur, 2, r"Repeat.block: expected a Block; got Blur \(a class: call it\)"),
    ],
)
def test_what_can_not_be_repeated_is_refused(block: Any, times: int, said: str) -> None:
    with pytest.raises((MismatchError, InputError), match=said):
        Repeat(block, times)


def test_a_round_that_fails_is_named() -> None:
    with pytest.raises(BlockError, match=r"^again > 0: RuntimeError: no more time$"):
        Pipeline(again=Repeat(Fails(), 2))(text="time")


def test_a_tensor_is_mapped_in_batches_of_one_and_a_list_by_its_items() -> None:
    latents = torch.rand(3, 4, 2, 2)
    ports = Map(Decode(), "latents").ports()
    assert str(ports) == '(latents: Tensor "items 4 h w") -> picture: Tensor "items 3 h w"'
    assert torch.equal(Map(Decode(), "latents")(latents=latents), latents[:, :3])
    counts = Map(Count(), ["text"])
    assert counts.ports().inputs["text"] == Port(Sequence[str])
    assert counts(text=["a", "bcd"], more=1) == [2, 4]
    both = Map(Count(), ["text", "more"])
    assert both(text=["a", "bcd"], more=[0, 5]) == [1, 8]
    assert both(text=["a", "bcd"]) == [1, 3]


def test_sizes_outside_of_what_is_mapped() -> None:
    fill = Map(Fill(), over=["image"])
    assert str(fill.ports().inputs["mask"].shape) == "1 1 h w"
    with pytest.raises(InputError, match=r"input mask: got \[2, 1, 4, 4\]"):
        fill(image=IMAGE, mask=MASK, value=0.5)
    assert fill(image=IMAGE, mask=MASK[:1], value=0.5).shape == IMAGE.shape
    pairs = Map(Toy({"x": port(Tensor, "b n")}, {"y": port(Tensor, "2 n")}), over=["x"])
    assert str(pairs.ports().outputs["y"].shape) == "y_items n"
    assert pairs(x=torch.ones(3, 5))["y"].shape == (6, 5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": [], "more": []}, "as many items of each, at least one; text has 0"),
        ({"text": ["a"], "more": [1, 2]}, "text has 1, more has 2"),
        ({"text": "word"}, "expected Sequence.str.; got str: 'word'"),
        ({"text": ["a", 1]}, "expected Sequence.str.; got list"),
        ({"text": 3}, "expected Sequence.str.; got int"),
    ],
)
def test_wrong_items_are_refused_before_any_work(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as found:
        Map(Count(), ["text", "more"])(**given)
    assert not isinstance(found.value, BlockError)


def test_what_can_not_be_mapped_is_refused() -> None:
    with pytest.raises(InputError, match=r"Map.over: Count has no input 'texts'.*'text'"):
        Map(Count(), ["texts"])
    with pytest.raises(InputError, match=r"Map.over: expected the name of an input"):
        Map(Count(), [])
    with pytest.raises(MismatchError, match="an item of x is a batch of one"):
        Map(Toy({"x": port(Tensor, "2 n")}, {}), ["x"])
    with pytest.raises(InputError, match="Map: expected many of x, in a list or tensor; got 3"):
        Map(Toy({"x": port(Any)}, {}), ["x"])(x=3)


class Odd(Block):
    def __call__(self, size: int) -> Annotated[Tensor, "x: 1 n"]:
        return torch.zeros(1, 6 // size)


def test_an_item_that_fails_is_named_and_the_others_are_kept() -> None:
    with pytest.raises(BlockError) as found:
        Pipeline(each=Map(Odd(), "size"))(size=[2, 3, 0])
    assert str(found.value).startswith("each > 2: ZeroDivisionError")
    with pytest.raises(BlockError, match=r"x of the items can't be joined: \[1, 3\], \[1, 2\]"):
        Map(Odd(), "size")(size=[2, 3])
