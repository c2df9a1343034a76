"""`diffusion sample`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import typer

from .. import sampling, tree
from ..base import Grid, Guidance, Sampler
from ..component import arguments, fields
from ..errors import InputError, MismatchError
from ..folder import lines
from ..guidance import Chain
from ..guidance.around import Around, inside
from ..model import Model
from ..tree import State
from .given import Given
from .given import options as given_options
from .load import load
from .output import Result, write
from .parts import Reader, build
from .words import note

NONE = "none"
"""The label of the null condition."""


@dataclass(frozen=True)
class Wish:
    """What is asked for; see the options of `diffusion sample`."""

    labels: tuple[str, ...]
    number: int | None
    steps: int
    seed: int
    guidance: float | None
    sampler: str | None
    grid: str | None = None
    given: Given = field(default_factory=Given)


def sample(folder: Path, wish: Wish, out: Path | None, custom: list[str]) -> None:
    """Draw samples and write them."""
    model = load(folder, custom)
    number, options = given_options(model, wish.given, wish.number)
    labels = _labels(model, wish.labels, number)
    options |= {"seed": wish.seed, "progress": sys.stderr.isatty()}
    if wish.guidance is not None:
        options["guidance"] = guided(model, wish.guidance)
    if wish.sampler is not None:
        options["sampler"] = _module(wish.sampler, "sampler", Sampler)
    steps: Any = _steps(model, wish.steps)
    if wish.grid is not None:
        steps = _module(wish.grid, "grid", Grid, {"steps": steps})
    states = model.stream(_ids(model, labels), number, steps, **options)
    result = Result(model, labels, list(_decoded(model, states, out)))
    typer.echo(write(result, out))


def _decoded(model: Model[Any], states: Iterator[State], out: Path | None) -> Iterator[State]:
    """The decoded samples; for an animation every state before them too."""
    data = sampling.weights(model)[1]
    every = out is not None and out.suffix.lower() == ".gif"
    last: Any = None
    with torch.no_grad():
        for last in states:
            if every:
                yield tree.to(data.decode(last), "cpu")
        if not every:
            yield tree.to(data.decode(last), "cpu")


def _labels(model: Model[Any], wished: tuple[str, ...], number: int) -> list[str]:
    """A label for each sample, evenly: those asked for, else every class, else none."""
    count = getattr(model.net, "labels", 0)
    names = [str(name) for name in model.data.names]
    asked = list(wished)
    if not isinstance(count, int) or count == 0:
        if asked and model.data.text is not None:
            return [asked[i * len(asked) // number] for i in range(number)]
        if asked:
            raise MismatchError(f"--label {asked[0]}: this model was trained without labels.")
        return []
    if not asked:
        asked = names or [str(i + 1) for i in range(count)]
    shown = asked[:number]
    # Equal shares, side by side: row by row in a grid.
    return [shown[i * len(shown) // number] for i in range(number)]


def _ids(model: Model[Any], labels: list[str]) -> list[Any] | None:
    names = [str(name) for name in model.data.names]
    if model.data.text is not None and not model.net.labels:
        return ["" if one == NONE else one for one in labels] or None
    return [0 if one == NONE and NONE not in names else one for one in labels] or None


def _steps(model: Model[Any], steps: int) -> int:
    top = model.schedule.steps
    if steps > top and not model.time.continuous:
        note(f"the schedule has {top} steps: taking all of them")
        return top
    return steps


def guided(model: Model[Any], strength: float) -> Guidance:
    """The model's guidance with another strength."""
    own = model.guidance
    if own is None:
        raise MismatchError(
            "--guidance: this model was trained without guidance, so it knows no prediction "
            "without a label; train with guidance: {ClassifierFree: {dropout: 0.1}}."
        )
    if not any("strength" in fields(part) for part in inside(own)):
        raise MismatchError(f"--guidance: {own!r} has no strength.")
    return _strong(own, strength)


def _strong(own: Guidance, strength: float) -> Guidance:
    """A copy with another strength everywhere inside; made anew, which checks the value."""
    if isinstance(own, Chain):
        return Chain(tuple(_strong(part, strength) for part in own.parts))
    given = arguments(own)
    if isinstance(own, Around):
        given["guidance"] = _strong(own.guidance, strength)
    elif "strength" in given:
        given["strength"] = strength
    return type(own)(**given)


def _module(text: str, kind: str, base: type, more: dict[str, Any] | None = None) -> Any:
    """The module that an option names, as `Name` or `{Name: {argument: value}}`."""
    node = lines.parse(text, f"--{kind}", numbered=False)
    part = Reader().module(node, kind)
    part.arguments.update(more or {})
    made = build(part)
    if not isinstance(made, base):
        raise InputError(f"--{kind} {text}: {made!r} is no {kind}.")
    return made
