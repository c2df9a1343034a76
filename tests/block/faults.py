"""Pipelines, and the same with one fault: what `blame` must find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from diffusion import data, guidance, noise, sampler, schedule
from diffusion.base import Net
from diffusion.block import Block, Decode, Denoise, Encode, Pipeline
from diffusion.model import Model
from diffusion.net import UNet

Pair = tuple[Block, Block]


class Fault(NamedTuple):
    """One fault.

    Attributes:
        name: what is wrong with the second pipeline. block, module: to blame; step: the denoising
            step, from 0, or None. make: both pipelines.
    """

    name: str
    block: str
    step: int | None
    module: str
    make: Callable[[], Pair]


def unet(seed: int = 0) -> UNet:
    net = UNet((3, 8), labels=3, hidden=16)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_(std=0.15, generator=generator)
    return net


def model(**changes: Any) -> Model[Any]:
    """A model of 8×8 pictures in three colours and three classes, with random weights."""
    modules: dict[str, Any] = {
        "data": data.Images(names=("cat", "dog", "owl")), "schedule": schedule.Cosine(100),
        "noise": noise.Gaussian("v"), "net": unet(), "sampler": sampler.DDIM(),
        "guidance": guidance.ClassifierFree(strength=1.5),
    }  # fmt: skip
    return Model(**{**modules, **changes}, shape=changes.pop("shape", (3, 8, 8)))


class Clip(Block):
    """Bounds states between the steps."""

    by: float = 3.0

    def __call__(self, state: Tensor) -> Annotated[Tensor, "state"]:
        return state.clamp(-self.by, self.by)


class LateClip(Block):
    """Bounds them too far, but only late."""

    by: float = 3.0

    def __call__(self, state: Tensor, step: int) -> Annotated[Tensor, "state"]:
        by = self.by if step < 3 else 0.5
        return state.clamp(-by, by)


class Push(Block):
    """Adds a little."""

    def __call__(self, state: Tensor) -> Annotated[Tensor, "state"]:
        return state + 0.01


class Tint(Block):
    """Darkens pictures."""

    by: float = 0.5

    def __call__(self, image: Tensor) -> Annotated[Tensor, "image"]:
        return (image.float() * self.by).to(image.dtype)


class RoundedTint(Tint):
    """The same, written anew: it rounds."""

    def __call__(self, image: Tensor) -> Annotated[Tensor, "image"]:
        return (image.float() * self.by).round().to(image.dtype)


class FloatTint(Tint):
    """The same without going back to bytes."""

    def __call__(self, image: Tensor) -> Annotated[Tensor, "image"]:
        return image.float() * self.by


class BrokenTint(Tint):
    """The same, and it fails."""

    def __call__(self, image: Tensor) -> Annotated[Tensor, "image"]:
        raise RuntimeError("no ink")


class Invert(Block):
    """The negative of pictures."""

    def __call__(self, image: Tensor) -> Annotated[Tensor, "image"]:
        return 255 - image


class Blur(Block):
    """Latents made smoother."""

    def __call__(self, latents: Tensor) -> Annotated[Tensor, "latents"]:
        return (latents + latents.roll(1, -1)) / 2


class Log(Block):
    """Looks, and changes nothing."""

    def __call__(self, image: Tensor) -> Annotated[float, "brightness"]:
        return float(image.float().mean())


class Start(Block):
    """A picture to start from; it remembers another beside it."""

    def __call__(self, init: Tensor) -> Annotated[Tensor, "sketch"]:
        return init // 2


def pipeline(m: Model[Any] | None = None, **changes: Any) -> Pipeline:
    """Encode, denoise with a block between the steps, decode, darken."""
    m = model() if m is None else m
    own: dict[str, Any] = {"steps": 6, "each": {"clip": Clip()}}
    inner = {key: changes.pop(key) for key in ("steps", "each", "sampler") if key in changes}
    blocks: dict[str, Any] = {
        "encode": Encode(m).rename(image="init"),
        "denoise": Denoise(m, **{**own, **inner}),
        "decode": Decode(m),
        "tint": Tint(),
    }
    return Pipeline(**{**blocks, **changes})


INPUTS: dict[str, Any] = {
    "init": torch.randint(256, (2, 3, 8, 8), generator=torch.Generator().manual_seed(3)).byte(),
    "strength": 0.8, "conditions": ["dog", "owl"], "seed": 1,
}  # fmt: skip


def inputs(names: set[str]) -> dict[str, Any]:
    """Those of the test's inputs that a pipeline has."""
    given = {**INPUTS, "prompt": ["ab", "a"]}
    if "init" not in names:
        del given["strength"]
    return {key: value for key, value in given.items() if key in names}


def modules(before: dict[str, Any] | None = None, **after: Any) -> Callable[[], Pair]:
    """Pipelines over models of which some modules differ; each value is made anew."""

    def make() -> Pair:
        made = [
            {k: v() for k, v in one.items()} for one in (before or {}, {**(before or {}), **after})
        ]
        return pipeline(model(**made[0])), pipeline(model(**made[1]))

    return make


def edited(change: Callable[[Net], Any], wrap: bool = False) -> Callable[[], Pair]:
    """Pipelines of which the second's network is changed, or wrapped."""

    def make() -> Pair:
        net = unet()
        with torch.no_grad():
            made = change(net)
        return pipeline(), pipeline(model(net=made if wrap else net))

    return make


def blocks(**changes: Callable[[], Any]) -> Callable[[], Pair]:
    """Pipelines over one model of which blocks differ."""

    def make() -> Pair:
        m = model()
        return pipeline(m), pipeline(m, **{key: change() for key, change in changes.items()})

    return make
