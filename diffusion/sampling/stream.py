"""Driving a sampler, state by state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import torch

from .. import rng, tree
from ..base import Bridge, Guidance, Sampler
from ..errors import InputError, MismatchError, suggest
from ..fit import conditioned, guided
from ..noise.fixed import Fixed
from ..noise.split import for_x
from ..rng import Seed
from ..train.progress import Bar
from ..tree import State
from . import condition
from .grid import Steps, grid
from .network import network, weights
from .start import start
from .tap import TAP, Begun
from .watch import Watch, Watched

if TYPE_CHECKING:
    from ..model import Model


_AS_IS = contextlib.nullcontext()


class Options(TypedDict, total=False):
    """What a sampling can be told beside conditions, size and times.

    Attributes:
        sampler, guidance: instead of the model's own, which None stands for; to go without,
            `model.replace(guidance=None)`.
        seed: sample i depends on (seed, i) only, not on the batch; or a seed for each sample, or a
            generator to draw one from; None draws a seed.
        given: modalities of a joint model that are known, as items.
        known, mask: items, and where (True) they are kept while the rest is sampled.
        z: the first state, instead of drawn noise.
        start, strength: items to start from, noised to the time `strength`·T (1 by default).
        x: encoded items, instead of `start`.
        watch: called after every step; see `Watch`.
        gradients: keep gradients, to differentiate through the sampling.
        progress: show a progress bar.
    """

    sampler: Sampler | None
    guidance: Guidance | None
    seed: Seed | None
    given: dict[str, Any] | None
    known: Any
    mask: Any
    z: Any
    start: Any
    x: Any
    watch: Watch | None
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
    own = options.get("z"), options.get("start"), options.get("x")
    if options.get("mask") is not None and options.get("known") is None:
        raise InputError("sample.mask says where known= items are kept; there are none.")
    given, fixed, seed = options.get("given"), options.get("known"), options.get("seed")
    reason = sampler.fits(model.noise)
    if reason is not None:
        raise MismatchError(f"sampler and noise: {reason}")
    guided(guidance, model.noise)
    conditioned(model, guidance)
    y, size = condition.conditions(model, y, _size(batch, y, given, fixed, *own), guidance)
    times = grid(model, steps, sampler)
    net, data = weights(model)
    noise = model.bind(times=times)
    if getattr(noise, "parameter", None) == "p":
        noise = noise.vary(parameter="logits")
    seed = rng.entropy() if seed is None else seed
    draws = rng.samples(seed, size)
    gradients = options.get("gradients", False)
    with torch.set_grad_enabled(gradients):
        z, times = start(model, data, noise, times, size, draws, options)
    if isinstance(model.noise, Bridge):
        noise.prepare(times)
    predict = plain = network(model, net, noise, times, size)
    tap = TAP.get()
    ear = None if tap is None else tap.sampling()
    if ear is not None:
        predict = ear.network(predict)
    if guidance is not None:
        predict = guidance(predict, noise)
    with torch.set_grad_enabled(gradients):
        if given:
            z, times = condition.given(model, data, given, z, times)
        elif hasattr(model.time, "parts"):
            times = [dict.fromkeys(z, t) for t in times]
        if fixed is not None:
            x, mask = condition.known(model, data, fixed, options.get("mask"), z)
            noise = Fixed(noise, x, mask)
            z = noise.keep(z, times[0], draws)
    watch = options.get("watch")
    if ear is not None:
        watch, predict = ear.watch(watch), ear.guided(predict)
        ear.begin(Begun(model, noise, sampler, guidance, plain, times, z, y, draws, seed))
    watched = Watched(watch, sampler, noise, times)
    states = sampler(watched.noise, watched.heard(predict), z, y, times, draws)
    if ear is not None:
        states = ear.states(states)
    return _walk(states, z, watched, gradients, options.get("progress", False))


def _walk(
    states: Iterator[State], z: State, watched: Watched, gradients: bool, progress: bool
) -> Iterator[State]:
    """The states, computed without gradients unless asked, and without leaking into the caller."""
    yield z
    mode = torch.enable_grad() if gradients else torch.no_grad()
    count = len(watched.times) - 1
    with Bar(count, progress, "sampling") as bar:
        for done in range(count):
            # Who asks for the states from within such a mode need not enter it at every step.
            with _AS_IS if torch.is_grad_enabled() is gradients else mode:
                z = next(states)
                watched.after(z, done)
            bar.update(done + 1)
            if done == count - 1:
                _finite(z, watched.said[-1])
            yield z


def of_kind(name: str, value: Any, base: type) -> None:
    """Raise unless an option is a module of its kind, or None."""
    if value is not None and not isinstance(value, base):
        what = f"{value.__name__} (a class: call it)" if isinstance(value, type) else repr(value)
        raise InputError(f"sample.{name}: expected a {base.__name__}, got {what}.")


def _finite(z: State, said: State) -> None:
    """Raise if the end of a sampling is not a number; asked once, as it waits for the device.

    Tokens are never NaN: for them, what the network said last is.
    """
    hats = [] if said is None else [for_x(hat) for hat in tree.leaves(said)]
    bad = [~leaf.detach().isfinite().flatten(1).all(1) for leaf in tree.leaves(z)]
    if len(hats) == len(bad):
        bad += [hat[0].detach().isnan().flatten(1).any(1) for hat in hats]
    for rows in bad:
        if rows.any():
            raise InputError(
                f"sample: {int(rows.sum())} of {len(rows)} samples are NaN or infinite, first "
                f"number {int(rows.nonzero()[0, 0])}. Look at the states of model.stream(...) for "
                "where; try model.replace(guidance=None), another sampler, more steps; are the "
                "weights finite?"
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
