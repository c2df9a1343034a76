"""Ports are what `__call__` declares."""

from typing import Annotated, Any, NotRequired, TypedDict

import pytest
from torch import Tensor

from diffusion.block import Block
from diffusion.block.port import REQUIRED, Ports, declared
from diffusion.block.shape import Shape
from diffusion.errors import InputError

from .toys import Blur, Split


def test_parameters_are_inputs_and_the_return_names_the_output() -> None:
    ports = Blur().ports()
    assert list(ports.inputs) == ["latents", "strength"]
    assert ports.inputs["latents"] == (Tensor, Shape(("b", "c", "h", "w")), REQUIRED)
    assert ports.inputs["strength"] == (float, None, 1.0)
    assert ports.outputs["latents"].shape == Shape(("b", "c", "h", "w"))
    assert ports.single
    assert str(ports) == (
        '(latents: Tensor "b c h w", strength: float = 1.0) -> latents: Tensor "b c h w"'
    )


def test_a_typed_dict_names_several_outputs() -> None:
    ports = Split().ports()
    assert list(ports.outputs) == ["low", "high"]
    assert not ports.single
    assert ports.outputs["low"] == (Tensor, Shape(("n",)), REQUIRED)


def test_a_block_may_make_nothing() -> None:
    class Show(Block):
        def __call__(self, image: Tensor) -> None:
            return None

    assert Show().ports().outputs == {}


def test_a_shape_stands_beside_the_type_wherever_it_is_written() -> None:
    class Masked(Block):
        def __call__(
            self,
            inside: Annotated[Tensor, "b h w"] | None = None,
            outside: Annotated[Tensor | None, "b h w"] = None,
        ) -> None: ...

    inputs = Masked().ports().inputs
    assert inputs["inside"].shape == inputs["outside"].shape == Shape(("b", "h", "w"))


class Loose(TypedDict):
    image: NotRequired[Tensor]


def _untyped(self, image) -> Annotated[Tensor, "image"]: ...
def _nameless(self, image: Tensor) -> Tensor: ...
def _no_return(self, image: Tensor): ...
def _spread(self, *images: Tensor) -> Annotated[Tensor, "image"]: ...
def _keywords(self, **images: Tensor) -> Annotated[Tensor, "image"]: ...
def _sentence(self, image: Tensor) -> Annotated[Tensor, "the image"]: ...
def _odd_shape(self, image: Annotated[Tensor, "b, c"]) -> Annotated[Tensor, "image"]: ...
def _maybe(self, image: Tensor) -> Loose: ...
def _default(self, share: float = "half") -> Annotated[Tensor, "image"]: ...  # type: ignore
def _unknown(self, image: "Missing") -> Annotated[Tensor, "image"]: ...  # type: ignore  # noqa


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (_untyped, "the input 'image' has no type"),
        (_nameless, "its output has no name"),
        (_no_return, "its outputs have no names"),
        (_spread, "ports have names; got *images"),
        (_keywords, "ports have names; got **images"),
        (_sentence, "expected a name for its output; got 'the image'"),
        (_odd_shape, "expected a shape such as"),
        (_maybe, "the output 'image' is NotRequired"),
        (_default, "the input 'share' is float, but its default is 'half'"),
        (_unknown, "its annotations can't be read"),
    ],
)
def test_a_declaration_that_can_not_be_a_port_is_refused(call: Any, said: str) -> None:
    odd = type("Odd", (), {"__call__": call, "__module__": __name__})
    with pytest.raises(InputError) as found:
        declared(odd)
    assert said in str(found.value)
    assert str(found.value).startswith("Odd.__call__")


def test_a_block_must_write_its_call() -> None:
    class Empty(Block):
        pass

    with pytest.raises(InputError, match="Empty is a block without __call__"):
        Empty().ports()
    with pytest.raises(NotImplementedError, match="Empty"):
        Empty()()


def test_types_of_some_ports_may_be_changed() -> None:
    class Maybe(Block):
        def __call__(self, latents: Any = None, seed: int = 0) -> Annotated[Any, "latents"]: ...

    ports = Maybe().ports().typed(latents=Tensor)
    assert ports.inputs["latents"].type == Tensor | None
    assert ports.inputs["seed"].type is int
    assert ports.outputs["latents"].type is Tensor
    assert ports.single


def test_nothing_is_written_as_such() -> None:
    assert str(Ports({}, {})) == "(nothing) -> nothing"
