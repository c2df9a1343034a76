"""Pipelines: called, nested, and edited as values."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import torch
from torch import Tensor

from diffusion import sampler
from diffusion.block import Block, BlockError, Pipeline
from diffusion.errors import InputError, MismatchError

from .toys import IMAGE, Blur, Count, Decode, Encode, Fails, Split, Toy, Twice, port, whole


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, 'Pipeline needs image (Tensor "b 3 h w"); got nothing'),
        ({"strength": 1.0}, 'needs image (Tensor "b 3 h w"); got strength'),
        ({"image": IMAGE, "strenght": 1.0}, "no input 'strenght'; it has image, strength. Did you"),
        ({"image": IMAGE, "strenght": 1.0}, "mean 'strength'?"),
        ({"image": IMAGE.numpy()}, "input image: expected Tensor; got ndarray"),
        ({"image": IMAGE, "strength": "much"}, "input strength: expected float; got str: 'much'"),
        ({"image": IMAGE[0]}, 'input image: got 3 axes for "b 3 h w"'),
        ({"image": IMAGE[:, :1]}, 'input image: got [2, 1, 4, 4] for "b 3 h w"'),
        ({"image": None}, "input image: expected Tensor; got NoneType"),
    ],
)
def test_a_call_is_checked_before_any_work(given: dict[str, Any], said: str) -> None:
    log: list[Toy] = []
    first = Toy({}, {"seen": port(bool)}, log)
    pipe = Pipeline(first=first, encode=Encode(), blur=Blur(), decode=Decode())
    with pytest.raises(InputError) as found:
        pipe(**given)
    assert not isinstance(found.value, BlockError)
    assert said in str(found.value)
    assert log == []


def test_inputs_that_share_a_size_must_have_it() -> None:
    both = {"image": port(Tensor, "b c h w"), "mask": port(Tensor, "b 1 h w")}
    with pytest.raises(InputError, match=r"input mask: got \[2, 1, 8, 8\] .* h = 4"):
        Pipeline(a=Toy(both, {}))(image=IMAGE, mask=torch.zeros(2, 1, 8, 8))


class Returns(Block):
    value: Any

    def __call__(self, image: Annotated[Tensor, "b c h w"]) -> Annotated[Tensor, "image: b c h w"]:
        return self.value


class Nothing(Block):
    value: Any = None

    def __call__(self) -> None:
        return self.value


class Several(Split):
    value: Any

    def __call__(self, values: Annotated[Tensor, "n"]) -> Any:
        return self.value

    def ports(self) -> Any:
        return Split().ports()


LOW = torch.zeros(3)


@pytest.mark.parametrize(
    ("block", "given", "said"),
    [
        (Returns("an image"), {"image": IMAGE}, "Returns's output image: expected Tensor; got str"),
        (Returns(None), {"image": IMAGE}, "output image: expected Tensor; got NoneType"),
        (Returns(IMAGE[0]), {"image": IMAGE}, 'output image: got 3 axes for "b c h w"'),
        (Returns(IMAGE[:1]), {"image": IMAGE}, 'got [1, 3, 4, 4] for "b c h w" with b = 2'),
        (Nothing(1), {}, "Nothing declares the outputs none, and returned int"),
        (Several(LOW), {"values": LOW}, "declares the outputs low, high, and returned Tensor"),
        (Several({"low": LOW}), {"values": LOW}, "low, high, and returned low"),
        (Several({"low": LOW, "high": LOW, "x": 1}), {"values": LOW}, "and returned low, high, x"),
        (Several({"low": LOW, "high": LOW[:2]}), {"values": LOW}, "Several's output high: got [2]"),
    ],
)
def test_a_block_that_returns_what_it_did_not_declare_is_named(
    block: Block, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(BlockError) as found:
        Pipeline(odd=block)(**given)
    assert said in str(found.value)
    assert str(found.value).startswith("odd: InputError: ")


def test_a_failure_names_the_block_and_keeps_what_there_was() -> None:
    inner = Pipeline(count=Count(), fails=Fails(), outputs=["count", "text"])
    with pytest.raises(BlockError) as found:
        Pipeline(first=inner.rename(count="number"))(text="time")
    assert str(found.value) == "first > fails: RuntimeError: no more time"
    assert found.value.at.path == ("first", "fails")
    assert found.value.at.step is None
    assert found.value.values["count"] == 4
    assert isinstance(found.value.__cause__, RuntimeError)


def test_a_failure_of_one_block_alone_has_no_place() -> None:
    with pytest.raises(BlockError) as found:
        Fails().bind(text="time")()
    assert str(found.value) == "RuntimeError: no more time"


def test_pipelines_are_blocks_to_any_depth() -> None:
    flat = whole()
    nested = Pipeline(a=Pipeline(b=Pipeline(encode=Encode(), blur=Blur())), decode=Decode())
    assert nested.ports() == flat.ports()
    assert torch.equal(nested(image=IMAGE, strength=3.0), flat(image=IMAGE, strength=3.0))
    with pytest.raises(MismatchError, match='paint reads it as "b 3 h w"'):
        Pipeline(a=Pipeline(encode=Encode()), paint=Toy({"latents": port(Tensor, "b 3 h w")}, {}))


def test_joined_blocks_go_by_the_names_of_their_classes() -> None:
    pipe = Encode() >> Blur() >> Blur(0.25) >> Decode()
    assert list(pipe.blocks) == ["encode", "blur", "blur2", "decode"]
    torch.testing.assert_close(pipe(image=IMAGE), IMAGE / 8)
    assert (Encode() >> Blur().bind(strength=2.0)).ports().inputs.keys() == {"image"}
    kept = Pipeline(encode=Encode(), blur=Blur(), outputs=["latents"])
    assert list((kept >> Decode()).blocks) == ["pipeline", "decode"]
    with pytest.raises(InputError, match=r">>.one side: expected a Block; got Decode \(a class"):
        Encode() >> Decode  # type: ignore[operator]


@pytest.mark.parametrize("odd", [Encode, None, len, "encode"], ids=str)
def test_only_blocks_compose(odd: Any) -> None:
    with pytest.raises(InputError, match=r"Pipeline.encode: expected a Block; got"):
        Pipeline(encode=odd)
    with pytest.raises(InputError, match="at least one block"):
        Pipeline()


def test_a_component_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"Twice.inner: expected DDIM; got Adams"):
        Twice(sampler.Adams())  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"expected DDIM; got DDIM \(a class: call it\)"):
        Twice(sampler.DDIM)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"Twice.by: expected int; got str: 'two'"):
        Twice(sampler.DDIM(), "two")  # type: ignore[arg-type]
