"""Driving samplers: times, conditions, noise, and the network in evaluation mode."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from . import rng, tree
from .base import Bridge, Data, Guidance, Predict, Sampler
from .data.items import fetch, length
from .distribution.draw import draw
from .errors import InputError, MismatchError, suggest
from .likelihood import bound
from .noise.fixed import Fixed
from .noise.joint import Joint
from .train.progress import Bar
from .tree import State

if TYPE_CHECKING:
    from .model import Model


def weights(model: Model[Any]) -> tuple[nn.Module, Data]:
    """The network and the transform that sampling uses: averaged ones if there are any."""
    if model.average is None or int(model.average.n_averaged) == 0:
        return model.net, model.data
    parts = model.average.module
    return parts.net, model.data.using(dict(parts.data.items()))


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; each module's own mode after."""
    training = [one for one in module.modules() if one.training]
    for one in training:
        one.training = False
    try:
        yield
    finally:
        for one in training:
            one.training = True


def grid(model: Model[Any], steps: int | Sequence[Any] | None) -> list[Any]:
    """Descending host times from T to 0 for a number of network calls, or as given."""
    top = model.schedule.steps
    if steps is not None and not isinstance(steps, int):
        return _given(model, [t.item() if isinstance(t, Tensor) else t for t in steps])
    count = top if steps is None else steps
    if not isinstance(count, int) or count < 1:
        raise InputError(f"sample.steps: expected at least 1, got {count!r}.")
    if model.time.continuous:
        return [1 - i / count for i in range(count)] + [0.0]
    if count > top:
        raise InputError(f"sample.steps: {count} is more than the schedule's {top} steps.")
    return [round(top * (1 - i / count)) for i in range(count + 1)]


def _given(model: Model[Any], times: list[Any]) -> list[Any]:
    kind = float if model.time.continuous else int
    top = 1.0 if model.time.continuous else model.schedule.steps
    times = [kind(t) for t in times if kind(t) == t]
    falling = all(a > b for a, b in pairwise(times))
    if len(times) < 2 or not falling or times[0] > top or times[-1] != 0:
        raise InputError(
            f"sample.steps: times must fall strictly from at most {top} to 0, as "
            f"{'numbers in [0, 1]' if model.time.continuous else 'integers'}; got {times[:6]}..."
        )
    return times


def conditions(model: Model[Any], y: Any, batch: int | None) -> tuple[State, int]:
    """Conditions as tensors on the model's device, and the batch size."""
    if isinstance(y, (str, int)):
        y = [y] * (batch or 1)
    if isinstance(y, (list, tuple)):
        y = torch.tensor([_id(model, one) for one in y])
    if y is None:
        size = 1 if batch is None else batch
        y = torch.zeros(size, dtype=torch.long)
        if not (labels := getattr(model.net, "labels", None)) and model.data.y is not None:
            like = tree.map(lambda leaf: torch.zeros_like(torch.as_tensor(leaf[:1])), model.data.y)
            y = tree.map(lambda leaf: leaf.expand(size, *leaf.shape[1:]), like)
        del labels
    size = tree.size(y)
    if batch is not None and batch != size:
        raise InputError(f"sample: batch={batch}, but y has {size} conditions.")
    if size < 1:
        raise InputError("sample.batch: expected at least 1, got 0.")
    labels = getattr(model.net, "labels", None)
    if labels is not None and isinstance(y, Tensor) and not y.is_floating_point():
        low, high = int(y.min()), int(y.max())
        if low < 0 or high > labels:
            raise InputError(
                f"sample.y: class ids must be 0 (null) to {labels}; got {low if low < 0 else high}."
            )
    return tree.to(y, model.device), size


def _id(model: Model[Any], name: Any) -> int:
    """A class id from a class name; where classes are called by numbers, those are names."""
    names = [str(one) for one in model.data.names]
    if isinstance(name, str):
        if name in names:
            return names.index(name) + 1
        if name.isdigit() and not names:
            return int(name)
        known = f"classes are {', '.join(names[:20])}" if names else "the model has no class names"
        raise InputError(f"sample.y: no class {name!r}; {known}.{suggest(name, names)}")
    return int(name)


def network(model: Model[Any], net: nn.Module, noise: Any) -> Predict:
    """`predict(z, y, t) -> hat` in evaluation mode; log-probabilities for nets that end in p."""
    probabilities = getattr(model.noise, "parameter", None) == "p"
    apart = hasattr(model.time, "parts")

    def predict(z: State, y: State, t: Any) -> State:
        size, device = tree.size(z), model.device
        if apart and not isinstance(t, dict):
            t = dict.fromkeys(z, t)
        rows = tree.map(lambda one: one if isinstance(one, Tensor) else _row(one, size, device), t)
        with evaluating(net):
            hat = net(noise.inputs(z, t), y, rows)
        return hat.log() if probabilities else hat

    return predict


def _row(t: float, size: int, device: torch.device) -> Tensor:
    return torch.full((size,), t, device=device)


def stream(
    model: Model[Any],
    y: Any,
    batch: int | None,
    steps: int | Sequence[Any] | None,
    sampler: Sampler | None,
    guidance: Guidance | None,
    seed: int | None,
    given: dict[str, Any] | None,
    known: Any,
    mask: Tensor | None,
    progress: bool,
) -> Iterator[State]:
    """See `Model.stream`. Everything is checked before the first state is asked for."""
    sampler, guidance = sampler or model.sampler, guidance or model.guidance
    reason = sampler.fits(model.noise)
    if reason is not None:
        raise MismatchError(f"sampler and noise: {reason}")
    y, size = conditions(model, y, _size(batch, y, given, known))
    times = grid(model, steps)
    net, data = weights(model)
    noise = model.bind(times=times)
    if getattr(noise, "parameter", None) == "p":
        noise = noise.vary(parameter="logits")
    draws = rng.samples(rng.entropy() if seed is None else seed, size)
    shape = tree.map(lambda one: (size, *one), model.shape)
    z = model.cast(tree.to(draw(noise.stationary(shape), draws)[0], model.device))
    predict = network(model, net, noise)
    if guidance is not None:
        predict = guidance(predict, noise)
    with torch.no_grad():
        if given:
            z, times = _condition(model, data, given, z, times)
        if known is not None:
            x = model.cast(data.encode(known.to(model.device)))
            noise = Fixed(noise, x, _mask(mask, x))
            z = noise.keep(z, times[0], draws)
    states = sampler(noise, predict, z, y, times, draws)
    return _walk(states, z, len(times) - 1, progress)


def _walk(states: Iterator[State], z: State, count: int, progress: bool) -> Iterator[State]:
    """The states, each computed without gradients and without leaking that into the caller."""
    yield z
    with Bar(count, progress, "sampling") as bar:
        for done in range(count):
            with torch.no_grad():
                z = next(states)
            bar.update(done + 1)
            yield z


def _size(batch: int | None, y: Any, given: Any, known: Any) -> int | None:
    for state in (given, known):
        if batch is None and y is None and state is not None:
            return tree.size(state)
    return batch


def _condition(
    model: Model[Any], data: Data, given: dict[str, Any], z: State, times: list[Any]
) -> tuple[State, list[Any]]:
    """Put known modalities in place, at time 0 throughout."""
    if not isinstance(model.noise, Joint) or not hasattr(model.time, "parts"):
        raise MismatchError(
            "sample.given conditions one modality on another: it needs noise.Joint and a time of "
            "its own for each modality, time=time.Joint({...})."
        )
    unknown = set(given) - set(model.noise.parts)
    if unknown:
        raise InputError(f"sample.given: no modality {sorted(unknown)[0]!r}; there are {list(z)}.")
    parts: Any = getattr(data, "parts", {})
    state = {k: model.cast(parts[k].encode(w.to(model.device))) for k, w in given.items()}
    z = {**z, **state}
    zero = 0.0 if model.time.continuous else 0
    return z, [{key: zero if key in given else t for key in z} for t in times]


def _mask(mask: Tensor | None, x: Tensor) -> Tensor:
    if mask is None:
        raise InputError("sample.known needs mask: a boolean tensor, True where items are kept.")
    if mask.dtype != torch.bool:
        raise InputError(f"sample.mask: expected booleans, got {mask.dtype}.")
    mask = mask.to(x.device)
    while mask.dim() < x.dim():
        mask = mask.unsqueeze(-1)
    try:
        return mask.expand_as(x)
    except RuntimeError:
        raise InputError(
            f"sample.mask: shape {list(mask.shape)} does not broadcast to {list(x.shape)}."
        ) from None


def nll(
    model: Model[Any], w: State, y: State, steps: int | None, unit: str, seed: int, progress: bool
) -> Tensor:
    """See `Model.nll`."""
    if unit not in ("bits/dim", "nats"):
        raise InputError(f"nll.unit: expected 'bits/dim' or 'nats', got {unit!r}.")
    if w is not None:
        return _bound(model, w, y, steps, unit, rng.samples(seed, tree.size(w)))
    count, size = length(model.data.w), model.data.batch
    values = []
    with Bar(-(count // -size), progress, "bound") as bar:
        for first in range(0, count, size):
            index = torch.arange(first, min(first + size, count))
            draws = [rng.generator(seed, "sample", int(i)) for i in index]
            values.append(_bound(model, *fetch(model.data, index), steps, unit, draws))
            bar.update(first // size + 1)
    return torch.cat(values)


@torch.no_grad()
def _bound(
    model: Model[Any], w: State, y: State, steps: int | None, unit: str, draws: rng.Rng
) -> Tensor:
    size = tree.size(w)
    y, _ = conditions(model, y, size)
    net, data = weights(model)
    if not isinstance(model.noise, Bridge) and steps not in (None, model.schedule.steps):
        raise InputError(
            f"nll.steps: {type(model.noise).__name__} (not a Bridge) has a bound over all "
            f"{model.schedule.steps} steps only."
        )
    noise = model.bind() if isinstance(model.noise, Bridge) else model.bind(soft=True)
    w = tree.to(w, model.device)
    x = model.cast(data.encode(w))
    predict = network(model, net, noise)
    if getattr(noise, "parameter", None) == "p":
        noise = noise.vary(parameter="logits")
    nats = bound(noise, predict, data, w, x, y, grid(model, steps), draws)
    dimensions = sum(leaf[0].numel() for leaf in tree.leaves(w))
    return nats if unit == "nats" else nats / (dimensions * math.log(2))
