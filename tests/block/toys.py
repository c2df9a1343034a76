"""Blocks for tests: ones that do little, and ones with any ports that check what reaches them."""

from __future__ import annotations

import random
import types
from collections.abc import Sequence
from typing import Annotated, Any, TypedDict, Union, get_args, get_origin

import torch
from torch import Tensor

from diffusion import sampler
from diffusion.block import Block, Pipeline
from diffusion.block.port import REQUIRED, Port, Ports
from diffusion.block.shape import Shape


class Encode(Block):
    def __call__(
        self, image: Annotated[Tensor, "b 3 h w"]
    ) -> Annotated[Tensor, "latents: b 4 h w"]:
        return torch.cat([image, image[:, :1]], 1)


class Blur(Block):
    by: float = 0.5

    def __call__(
        self, latents: Annotated[Tensor, "b c h w"], strength: float = 1.0
    ) -> Annotated[Tensor, "latents: b c h w"]:
        return latents * self.by * strength


class Decode(Block):
    def __call__(
        self, latents: Annotated[Tensor, "b 4 h w"]
    ) -> Annotated[Tensor, "picture: b 3 h w"]:
        return latents[:, :3]


class Count(Block):
    def __call__(self, text: str, more: int = 0) -> Annotated[int, "count"]:
        return len(text) + more


class Both(TypedDict):
    low: Annotated[Tensor, "n"]
    high: Annotated[Tensor, "n"]


class Split(Block):
    def __call__(self, values: Annotated[Tensor, "n"]) -> Both:
        return {"low": values.clamp(max=0), "high": values.clamp(min=0)}


class Fails(Block):
    def __call__(self, text: str) -> Annotated[str, "text"]:
        raise RuntimeError(f"no more {text}")


def port(kind: Any, shape: str | None = None, default: Any = REQUIRED) -> Port:
    return Port(kind, None if shape is None else Shape.parse(shape, "toy"), default)


class Reached(AssertionError):
    """Something reached the inside of a block that it does not declare."""


class Toy(Block):
    """Any ports. Looks at what it is given by rules of its own, and makes what it says."""

    reads: Any
    makes: Any
    log: Any = None

    def ports(self) -> Ports:
        return Ports(self.reads, self.makes)

    def __call__(self, **given: Any) -> Any:
        sizes: dict[str, int] = {}
        for key, one in self.reads.items():
            if key not in given and one.required:
                raise Reached(f"{key} is missing")
        for key, value in given.items():
            if key not in self.reads:
                raise Reached(f"{key} is unknown")
            one = self.reads[key]
            if value is None and one.default is None:
                continue
            if not any(_is(value, kind) for kind in choices(one.type)):
                raise Reached(f"{key} is {value!r}, not {one.type}")
            _measure(key, value, one.shape, sizes)
        if self.log is not None:
            self.log.append(self)
        chance = random.Random(len(given))
        return {key: drawn(one, sizes, chance) for key, one in self.makes.items()} or None


def _is(value: Any, kind: Any) -> bool:
    if kind is float:
        return type(value) in (int, float, bool)
    if kind is int:
        return type(value) in (int, bool)
    if get_origin(kind) is Sequence:
        return isinstance(value, list) and all(_is(one, get_args(kind)[0]) for one in value)
    return kind is Any or type(value) is kind


def _measure(key: str, value: Any, shape: Shape | None, sizes: dict[str, int]) -> None:
    if shape is None or not isinstance(value, Tensor):
        return
    if value.ndim != len(shape.sizes) and not (shape.open and value.ndim > len(shape.sizes)):
        raise Reached(f"{key} has {value.ndim} axes, not {shape}")
    for name, got in zip(shape.sizes, value.shape, strict=False):
        wanted = sizes.setdefault(name, got) if isinstance(name, str) else name
        if wanted != got:
            raise Reached(f"{key} is {list(value.shape)}, not {shape} with {sizes}")


VALUES = {int: 3, float: 0.5, str: "word", bool: True, type(None): None}


def drawn(one: Port, sizes: dict[str, int], chance: random.Random) -> Any:
    """A value for a port; sizes without a number get one."""
    kind = choices(one.type)[0]
    if get_origin(kind) is Sequence:
        return [drawn(Port(get_args(kind)[0]), {}, chance) for _ in range(2)]
    if kind not in (Tensor, Any):
        return VALUES[kind]
    shape = one.shape or Shape((), open=True)
    found = [s if isinstance(s, int) else sizes.setdefault(s, chance.randint(2, 5))
             for s in shape.sizes]  # fmt: skip
    return torch.zeros([*found, *([2] * chance.randint(0, 2) if shape.open else [])])


def choices(kind: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


IMAGE = torch.rand(2, 3, 4, 4)


class Twice(Block):
    inner: sampler.DDIM
    by: int = 2

    def __call__(self, count: int) -> Annotated[int, "count"]:
        return count * self.by


def whole() -> Pipeline:
    return Pipeline(encode=Encode(), blur=Blur(), decode=Decode())
