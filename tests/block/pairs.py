"""Pairs of pipelines, of which the second has a fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from diffusion import data, guidance
from diffusion.base import Net
from diffusion.block import Branch, Decode, Denoise, Describe, Encode, Pipeline, Repeat

from . import wrong
from .faults import (
    Clip,
    Invert,
    Log,
    Pair,
    Start,
    Tint,
    edited,
    model,
    pipeline,
)  # fmt: skip

CFG = guidance.ClassifierFree
TIMES = [80, 67, 53, 40, 27, 13, 0]
NAMES = ("cat", "dog", "owl")


def denoise(before: dict[str, Any], **after: Any) -> Callable[[], Pair]:
    """Pipelines over one model, whose `Denoise` has other arguments."""

    def make() -> Pair:
        m = model()
        return pipeline(m, **before), pipeline(m, **{**before, **after})

    return make


def element(net: Net) -> Net:
    net.enter.weight[0, 0, 0, 0] += 1e-3  # type: ignore[union-attr, index, operator]
    return net


def unknown(net: Net) -> Net:
    net.norm.weight[3] = torch.nan  # type: ignore[union-attr, index, operator]
    return net


def rougher(net: Net) -> Net:
    net.norm.groups = 2  # type: ignore[union-attr, assignment]
    return net


def wrap(how: Callable[..., Any]) -> Callable[[], Pair]:
    return edited(lambda net: wrong.Around(net, how), wrap=True)


def bound(**values: Any) -> Callable[[], Pair]:
    """Pipelines whose `Denoise` is given something for good, first and then."""

    def make() -> Pair:
        m = model()
        sides = [{key: pair[i] for key, pair in values.items()} for i in (0, 1)]
        first, second = (Denoise(m, 6, each={"clip": Clip()}).bind(**one) for one in sides)
        return pipeline(m, denoise=first), pipeline(m, denoise=second)

    return make


def coded(scale: float) -> data.Latent:
    pixels = data.Images()
    return data.Latent(autoencoder=wrong.Coder(), scale=scale, inner=pixels, names=NAMES)


def latent(*scales: tuple[float, float]) -> Callable[[], Pair]:
    """Pipelines over a latent model; of the second, parts have another scale of latents."""

    def make() -> Pair:
        def one(scale: float) -> Any:
            return model(data=coded(scale))

        (e1, e2), (d1, d2) = scales
        m = one(1.0)
        sides = [
            (Encode(one(e)).rename(image="init"), Decode(one(d))) for e, d in ((e1, d1), (e2, d2))
        ]
        first, second = (pipeline(m, encode=e, decode=d) for e, d in sides)
        return first, second

    return make


def retrained() -> Pair:
    first, second = coded(1.0), coded(1.0)
    with torch.no_grad():
        second.autoencoder.gain += 0.1
    one, other = (model(data=d) for d in (first, second))
    return pipeline(one), pipeline(one, decode=Decode(other))


def described() -> Pair:
    one = model(data=data.Images(text=wrong.Words()))
    other = model(data=data.Images(text=wrong.Words((0, 2, 1, 3))))
    return Pipeline(describe=Describe(one)), Pipeline(describe=Describe(other))


def half(decoded: bool) -> Callable[[], Pair]:
    def make() -> Pair:
        first, second = model(), model(net=model().net.bfloat16())
        one, other = pipeline(first), pipeline(second)
        if not decoded:
            one, other = (p.remove("encode", "decode", "tint") for p in (one, other))
        return one, other

    return make


def reordered() -> Pair:
    m = model()
    one = pipeline(m, invert=Invert())
    parts: dict[str, Any] = {
        name: one[name] for name in ("encode", "denoise", "decode", "invert", "tint")
    }
    return one, Pipeline(**parts)


def rewired() -> Pair:
    m = model()
    parts: dict[str, Any] = {"denoise": Denoise(m, 4), "decode": Decode(m)}
    first, second = (Encode(m).rename(image=name) for name in ("init", "sketch"))
    return Pipeline(start=Start(), encode=first, **parts), Pipeline(
        start=Start(), encode=second, **parts
    )


def inserted(block: Any, after: str) -> Callable[[], Pair]:
    def make() -> Pair:
        one = pipeline()
        return one, one.insert(after=after, new=block)

    return make


def removed() -> Pair:
    one = pipeline()
    return one, one.remove("tint")


def repeated() -> Pair:
    m = model()
    return pipeline(m, tint=Repeat(Tint(), 2)), pipeline(m, tint=Repeat(Tint(), 3))


def inside_repeat() -> Pair:
    m = model()
    return pipeline(m, tint=Repeat(Tint(), 2)), pipeline(m, tint=Repeat(Tint(0.6), 2))


def branched() -> Pair:
    m = model()
    first, second = (Branch(on, Tint(0.5), Tint(0.6)) for on in ("seed", "mark"))
    return pipeline(m, tint=first), pipeline(m, tint=second)


def nested() -> Pair:
    m = model()
    first, second = (Pipeline(dark=Tint(), darker=Tint(by)) for by in (0.5, 0.7))
    return pipeline(m, tint=first), pipeline(m, tint=second)


def harmless_before() -> Pair:
    """A block that only looks is new, and a later one is wrong."""
    m = model()
    return pipeline(m), pipeline(m).insert(after="decode", log=Log()).replace(tint=Tint(0.6))
