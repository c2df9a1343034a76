"""Blocks for what stands around the denoising: conditions, latents, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from .. import tree
from ..errors import InputError
from ..model import Model
from ..sampling import weights
from .base import Block
from .port import Ports
from .shape import Shape


class Describe(Block):
    """Prompts as conditions, by the text encoders of a model."""

    model: Model[Any]

    def __call__(self, prompt: str | Sequence[str]) -> Annotated[Any, "conditions"]:
        """A row for each prompt."""
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        with torch.no_grad():
            return tree.to(self.model.cast(self.model.data.describe(prompts)), self.model.device)


def state(model: Model[Any]) -> type:
    """The type of a model's states: a tensor, or a map of the tensors of several modalities."""
    return dict if isinstance(model.shape, dict) else Tensor


def sizes(model: Model[Any]) -> dict[str, int]:
    """The sizes of a model's states that are pictures."""
    of = model.shape
    known = isinstance(of, tuple) and len(of) == 3
    return dict(zip("chw", of, strict=True)) if known else {}


def shape(model: Model[Any]) -> Shape | None:
    """The shape of a batch of a model's states; None if they are several modalities."""
    return Shape(("b", *model.shape)) if isinstance(model.shape, tuple) else None


def fitted(model: Model[Any], ports: Ports, *names: str) -> Ports:
    """Ports of which some are states of a model."""
    typed = ports.typed(**dict.fromkeys(names, state(model)))
    inputs, outputs = (
        {k: port._replace(shape=shape(model)) if k in names else port for k, port in side.items()}
        for side in (typed.inputs, typed.outputs)
    )
    return Ports(inputs, outputs, ports.single)


class Encode(Block):
    """Items as the states of a model: pictures as latents."""

    model: Model[Any]

    def ports(self) -> Ports:
        return fitted(self.model, super().ports(), "latents")

    def __call__(self, image: Tensor) -> Annotated[Any, "latents"]:
        """`image` as the model's data hold them, e.g. bytes `[b, 3, h, w]`."""
        data = weights(self.model)[1]
        with torch.no_grad():
            return self.model.cast(data.encode(image.to(self.model.device)))


class Decode(Block):
    """States of a model as items: latents as pictures."""

    model: Model[Any]

    def ports(self) -> Ports:
        return fitted(self.model, super().ports(), "latents")

    def __call__(self, latents: Any) -> Annotated[Tensor, "image"]:
        """`image` as the model's data hold them, e.g. bytes `[b, 3, h, w]`."""
        data = weights(self.model)[1]
        with torch.no_grad():
            image = data.decode(latents)
        if not isinstance(image, Tensor):
            raise InputError("Decode: the model's items are several modalities; decode each.")
        return image
