"""Blocks of a user's own."""

from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from diffusion import Model
from diffusion.base import Sampler
from diffusion.base.module import Module
from diffusion.block import Block
from diffusion.block.pipeline import Composite


class Darken(Block):
    by: float = 0.5
    why: str = ""

    def __call__(self, image: Tensor) -> Annotated[Tensor, "image"]:
        return (image * self.by).to(image.dtype)


class Renewed(Block):
    """Called `amount` what version 1 called `by`, in percent."""

    version: ClassVar[int] = 2
    amount: float = 50.0

    @classmethod
    def migrate(cls, arguments: dict[str, Any], version: int) -> dict[str, Any]:
        arguments = super().migrate(arguments, version)
        if version == 1:
            return {"amount": 100 * arguments.pop("by"), **arguments}
        return arguments

    def __call__(self, image: Tensor) -> Annotated[Tensor, "image"]:
        return image


class Both(Block):
    """Whatever: lists, maps, tensors, modules, models."""

    sizes_: list[int]
    names: dict[str, Any]
    models: Any
    one: Model | None = None
    sampler: Sampler | None = None
    weight: Any = None

    def __call__(self, image: Tensor) -> Annotated[Tensor, "image"]:
        return image


class Filter(Module):
    """A network of a block's own."""

    size: int = 3

    def __post_init__(self) -> None:
        self.conv = nn.Conv2d(1, 1, self.size, padding=self.size // 2)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image)


class Filtered(Block):
    network: Filter

    def __call__(self, image: Tensor) -> Annotated[Tensor, "image"]:
        with torch.no_grad():
            return self.network(image.float())


class Held(Block):
    """Any network, with its weights."""

    network: Module

    def __call__(self, image: Tensor) -> Annotated[Tensor, "image"]:
        return image


class Twice(Composite):
    """A composition of a user's own, with blocks of any name."""

    def __init__(self, inner: Block, title: str = "twice", **more: Block) -> None:
        self.inner, self.title, self.more = inner, title, more
        self._ports = inner.ports()

    def children(self) -> dict[str, Block]:
        return {"inner": self.inner, **self.more}

    def run(self, given, at):
        return self.inner.run(self.inner.run(given, at), at)


class Shift(Block):
    def __call__(self, state: Tensor, step: int, amount: float = 0.0) -> Annotated[Tensor, "state"]:
        return state + amount / (step + 1)
