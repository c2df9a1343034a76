"""Driving a sampler, state by state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import torch
from torch import Tensor

from .. import rng, tree
from ..base import Bridge, Guidance, Sampler
from ..errors import InputError, MismatchError, suggest
from ..fit import guided
from ..noise.fixed import Fixed
from ..train.progress import Bar
from ..tree import State
from . import condition
from .grid import Steps, grid
from .network import network, weights
from .start import start

if TYPE_CHECKING:
    from ..model import Model


class Options(TypedDict, total=False):
    """What a sampling can be told beside conditions, size and times.

    Attributes:
        sampler, guidance: instead of the model's own.
        seed: sample i depends on (seed, i) only, not on the batch; None draws a seed.
        given: modalities of a joint model that are known, as items.
        known, mask: items, and where (True) they are kept while the rest is sampled.
        z: the first state, instead of drawn noise.
        start, strength: items to start from, noised to the time `strength`·T (1 by default).
        gradients: keep gradients, to differentiate through the sampling.
        progress: show a progress bar.
    """

    sampler: Sampler | None
    guidance: Guidance | None
    seed: int | None
    given: dict[str, Any] | None
    known: Any
    mask: Tensor | None
    z: Any
    start: Any
    strength: float | None
    gradients: bool
    progress: bool


def stream(
    model: Model[Any],
    y: Any,
    batch: int | None,
    steps: Steps,
    **options: Unpack[Options],
) -> Iterator[State]:
    """See `Model.stream`. Everything is checked before the first state is asked for."""
    _known(options)
    sampler, guidance = options.get("sampler") or model.sampler, options.get("guidance")
    guidance = model.guidance if guidance is None else guidance
    of_kind("sampler", sampler, Sampler)
    of_kind("guidance", guidance, Guidance)
    own = options.get("z"), options.get("start")
    given, fixed, seed = options.get("given"), options.get("known"), options.get("seed")
    reason = sampler.fits(model.noise)
    if reason is not None:
        raise MismatchError(f"sampler and noise: {reason}")
    guided(guidance, model.noise)
    y, size = condition.conditions(model, y, _size(batch, y, given, fixed, *own), guidance)
    times = grid(model, steps, sampler)
    net, data = weights(model)
    noise = model.bind(times=times)
    if getattr(noise, "parameter", None) == "p":
        noise = noise.vary(parameter="logits")
    draws = rng.samples(rng.entropy() if seed is None else seed, size)
    gradients = options.get("gradients", False)
    with torch.set_grad_enabled(gradients):
        z, times = start(model, data, noise, times, size, draws, options)
    if isinstance(model.noise, Bridge):
        noise.prepare(times)
    predict = network(model, net, noise, times, size)
    if guidance is not None:
        predict = guidance(predict, noise)
    with torch.set_grad_enabled(gradients):
        if given:
            z, times = condition.given(model, data, given, z, times)
        if fixed is not None:
            x = model.cast(data.encode(fixed.to(model.device)))
            noise = Fixed(noise, x, condition.positions(options.get("mask"), x))
            z = noise.keep(z, times[0], draws)
    states = sampler(noise, predict, z, y, times, draws)
    return _walk(states, z, len(times) - 1, gradients, options.get("progress", False))


def _walk(
    states: Iterator[State], z: State, count: int, gradients: bool, progress: bool
) -> Iterator[State]:
    """The states, computed without gradients unless asked, and without leaking into the caller."""
    yield z
    mode = torch.enable_grad() if gradients else torch.no_grad()
    with Bar(count, progress, "sampling") as bar:
        for done in range(count):
            with mode:
                z = next(states)
            bar.update(done + 1)
            if done == count - 1:
                _finite(z)
            yield z


def of_kind(name: str, value: Any, base: type) -> None:
    """Raise unless an option is a module of its kind, or None."""
    if value is not None and not isinstance(value, base):
        what = f"{value.__name__} (a class: call it)" if isinstance(value, type) else repr(value)
        raise InputError(f"sample.{name}: expected a {base.__name__}, got {what}.")


def _finite(z: State) -> None:
    """Raise if the end of a sampling is not a number; asked once, as it waits for the device."""
    for leaf in tree.leaves(z):
        bad = ~leaf.detach().isfinite().flatten(1).all(1)
        if bad.any():
            raise InputError(
                f"sample: {int(bad.sum())} of {len(bad)} samples are NaN or infinite, first number "
                f"{int(bad.nonzero()[0, 0])}. Look at the states of model.stream(...) for where; "
                "try guidance=None, another sampler, more steps; are the weights finite?"
            )


def _size(batch: int | None, y: Any, *states: Any) -> int | None:
    for state in states:
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
