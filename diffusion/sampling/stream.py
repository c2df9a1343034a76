"""Driving a sampler, state by state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import torch
from torch import Tensor

from .. import rng, tree
from ..base import Bridge, Guidance, Sampler
from ..distribution.draw import draw
from ..errors import InputError, MismatchError, suggest
from ..noise.fixed import Fixed
from ..train.progress import Bar
from ..tree import State
from . import condition
from .grid import grid
from .network import network, weights

if TYPE_CHECKING:
    from ..model import Model


class Options(TypedDict, total=False):
    """What a sampling can be told beside conditions, size and times.

    Attributes:
        sampler, guidance: instead of the model's own.
        seed: sample i depends on (seed, i) only, not on the batch; None draws a seed.
        given: modalities of a joint model that are known, as items.
        known, mask: items, and where (True) they are kept while the rest is sampled.
        progress: show a progress bar.
    """

    sampler: Sampler | None
    guidance: Guidance | None
    seed: int | None
    given: dict[str, Any] | None
    known: Any
    mask: Tensor | None
    progress: bool


def stream(
    model: Model[Any],
    y: Any,
    batch: int | None,
    steps: int | Sequence[Any] | None,
    **options: Unpack[Options],
) -> Iterator[State]:
    """See `Model.stream`. Everything is checked before the first state is asked for."""
    _known(options)
    sampler, guidance = options.get("sampler") or model.sampler, options.get("guidance")
    guidance = model.guidance if guidance is None else guidance
    given, fixed, seed = options.get("given"), options.get("known"), options.get("seed")
    reason = sampler.fits(model.noise)
    if reason is not None:
        raise MismatchError(f"sampler and noise: {reason}")
    y, size = condition.conditions(model, y, _size(batch, y, given, fixed))
    times = grid(model, steps)
    net, data = weights(model)
    noise = model.bind(times=times)
    if getattr(noise, "parameter", None) == "p":
        noise = noise.vary(parameter="logits")
    if isinstance(model.noise, Bridge):
        noise.prepare(times)
    draws = rng.samples(rng.entropy() if seed is None else seed, size)
    shape = tree.map(lambda one: (size, *one), model.shape)
    z = model.cast(tree.to(draw(noise.stationary(shape), draws)[0], model.device))
    predict = network(model, net, noise, times, size)
    if guidance is not None:
        predict = guidance(predict, noise)
    with torch.no_grad():
        if given:
            z, times = condition.given(model, data, given, z, times)
        if fixed is not None:
            x = model.cast(data.encode(fixed.to(model.device)))
            noise = Fixed(noise, x, condition.positions(options.get("mask"), x))
            z = noise.keep(z, times[0], draws)
    states = sampler(noise, predict, z, y, times, draws)
    return _walk(states, z, len(times) - 1, options.get("progress", False))


def _walk(states: Iterator[State], z: State, count: int, progress: bool) -> Iterator[State]:
    """The states, each computed without gradients and without leaking that into the caller."""
    yield z
    detached = torch.no_grad()
    with Bar(count, progress, "sampling") as bar:
        for done in range(count):
            with detached:
                z = next(states)
            bar.update(done + 1)
            yield z


def _size(batch: int | None, y: Any, given: Any, fixed: Any) -> int | None:
    for state in (given, fixed):
        if batch is None and y is None and state is not None:
            return tree.size(state)
    return batch


def _known(options: Any) -> None:
    for name in options:
        if name not in Options.__annotations__:
            hint = suggest(name, Options.__annotations__)
            raise InputError(
                f"sample: no option {name!r}; there are {', '.join(Options.__annotations__)}.{hint}"
            )
