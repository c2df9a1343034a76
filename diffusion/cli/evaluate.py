"""`diffusion evaluate`."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
import typer
from torch import Tensor

from ..data.items import fetch
from ..data.source import Source
from ..errors import DiffusionError, InputError
from ..likelihood.ode import STEPS
from ..metric import Judge, Quality, measure
from ..model import Model
from ..rng import generator
from .load import load
from .output import pictures
from .real import items, same_shape, source_for
from .words import note

BOUND = 200
"""Items of which the bound is measured at most: it takes a network call for every term."""
TERMS = 100
"""Terms of the bound at most; between those times it is still a bound, and a little higher."""


def evaluate(
    folder: Path, source: str, number: int, steps: int, seed: int, size: int | None,
    as_json: bool, custom: list[str], method: str = "bound", draws: int = 1,
) -> None:  # fmt: skip
    """Measure a model against a source of real data, and print a table or JSON."""
    model = load(folder, custom)
    real = source_for(model, source, size)
    found: dict[str, Any] = {"source": source, **_bits(model, real, number, seed, method, draws)}
    judged = _judged(model, real, number, steps, seed)
    found |= judged.plain() if isinstance(judged, Quality) else judged
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    held = "held-out" if found["held_out"] else "training"
    typer.echo(
        f"{method}  {found['bits_per_dim']:.4f} ± {found['standard_error']:.4f} bits/dim  "
        f"({found['items']} {held} items, {found['terms']} {_terms(method)}"
        f"{f', {draws} draws' if draws > 1 else ''})"
    )
    if isinstance(judged, Quality):
        typer.echo(str(judged))
    elif judged:
        typer.echo(
            "read as the right class  {accuracy:.1%}, real {real_accuracy:.1%}".format(**judged)
        )


def _bits(
    model: Model[Any], real: Source, number: int, seed: int, method: str, draws: int
) -> dict[str, Any]:
    """The mean over items spread evenly over the source, with its standard error.

    Items differ in likelihood, and draws of one item in their estimate: the spread over the items
    holds both.
    """
    held = real.w_test is not None
    data = items(model, real.w_test, real.y_test) if held else items(model, real.w, real.y)
    count = min(number, BOUND, len(data))
    terms = STEPS if method == "ode" else min(model.schedule.steps, TERMS)
    index = torch.linspace(0, len(data) - 1, count).long()
    values = []
    for part in torch.split(index, max(1, min(64, model.data.batch))):
        w, y = fetch(data, part)
        same_shape(model, w)
        values.append(model.nll(w, y, terms, seed=seed + int(part[0]), method=method, draws=draws))
    bits = torch.cat(values).double()
    error = float(bits.std()) / math.sqrt(count) if count > 1 else float("nan")
    return {
        "bits_per_dim": float(bits.mean()), "standard_error": error, "items": count,
        "terms": terms, "held_out": held, "method": method, "draws": draws,
    }  # fmt: skip


def _terms(method: str) -> str:
    return "steps" if method == "ode" else "terms"


def _judged(
    model: Model[Any], real: Source, number: int, steps: int, seed: int
) -> Quality | dict[str, float]:
    """What a classifier trained on the real pictures says, where there are labels."""
    labels = getattr(model.net, "labels", 0)
    if not isinstance(labels, int) or labels < 2 or real.y is None:
        note("no labels: a classifier can't judge the samples")
        return {}
    train, held = _split(model, real, seed)
    if train is None or held is None:
        note("no pictures: a classifier can't judge the samples")
        return {}
    judge = Judge.fit(*train, classes=labels, seed=seed, progress=sys.stderr.isatty())
    y = torch.arange(number) % labels + 1
    images = _drawn(model, y, steps, seed)
    try:
        return measure(judge, images, y, held, train)
    except DiffusionError as error:
        note(f"no Fréchet distance: {error}")
        return {"accuracy": judge.accuracy(images, y), "real_accuracy": judge.accuracy(*held)}


def _drawn(model: Model[Any], y: Tensor, steps: int, seed: int) -> Tensor:
    """Pictures of the classes `y`."""
    calls = steps if model.time.continuous else min(steps, model.schedule.steps)
    parts = [
        model.sample(y=part, steps=calls, seed=seed + i, progress=sys.stderr.isatty())
        for i, part in enumerate(torch.split(y, 250))
    ]
    images = pictures(model.data, torch.cat(parts))
    if images is None:
        raise InputError("evaluate: the model's samples are no pictures.")
    return images


Labelled = tuple[Tensor, Tensor] | None


def _split(model: Model[Any], real: Source, seed: int) -> tuple[Labelled, Labelled]:
    """Pictures and labels to train a judge on, and others held out: a fifth where none are."""
    data = items(model, real.w, real.y)
    w, y = fetch(data, torch.arange(len(data)))
    images = pictures(data, w)
    if images is None:
        return None, None
    if real.w_test is not None and real.y_test is not None:
        test = items(model, real.w_test, real.y_test)
        held_w, held_y = fetch(test, torch.arange(len(test)))
        held = pictures(data, held_w)
        return (images, y), (None if held is None else (held, held_y))
    order = torch.randperm(len(y), generator=generator(seed, "held"))
    cut = len(order) // 5
    note("the source has no held-out part: a fifth of it is kept from the judge")
    return (images[order[cut:]], y[order[cut:]]), (images[order[:cut]], y[order[:cut]])
