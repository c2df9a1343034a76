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
    shape = model.shape
    known = isinstance(shape, tuple) and len(shape) == 3
    return dict(zip("chw", shape, strict=True)) if known else {}


class Encode(Block):
    """Items as the states of a model: pictures as latents."""

    model: Model[Any]

    def ports(self) -> Ports:
        return super().ports().typed(latents=state(self.model))

    def sizes(self) -> dict[str, int]:
        return sizes(self.model)

    def __call__(self, image: Tensor) -> Annotated[Any, "latents: b c h w"]:
        """`image` as the model's data hold them, e.g. bytes `[b, 3, h, w]`."""
        data = weights(self.model)[1]
        with torch.no_grad():
            return self.model.cast(data.encode(image.to(self.model.device)))


class Decode(Block):
    """States of a model as items: latents as pictures."""

    model: Model[Any]

    def ports(self) -> Ports:
        return super().ports().typed(latents=state(self.model))

    def sizes(self) -> dict[str, int]:
        return sizes(self.model)

    def __call__(self, latents: Annotated[Any, "b c h w"]) -> Annotated[Tensor, "image"]:
        """`image` as the model's data hold them, e.g. bytes `[b, 3, h, w]`."""
        data = weights(self.model)[1]
        with torch.no_grad():
            image = data.decode(latents)
        if not isinstance(image, Tensor):
            raise InputError("Decode: the model's items are several modalities; decode each.")
        return image
