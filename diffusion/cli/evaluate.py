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

from ..base import Data
from ..component import arguments
from ..data.items import fetch
from ..data.source import Source, open_source
from ..errors import DiffusionError, InputError, MismatchError
from ..metric import Judge, Quality, measure
from ..model import Model
from ..rng import generator
from ..tree import State
from .load import load
from .output import pictures
from .words import note

BOUND = 200
"""Items of which the bound is measured at most: it takes a network call for every term."""
TERMS = 100
"""Terms of the bound at most; between those times it is still a bound, and a little higher."""


def evaluate(
    folder: Path, source: str, number: int, steps: int, seed: int, size: int | None,
    as_json: bool, custom: list[str],
) -> None:  # fmt: skip
    """Measure a model against a source of real data, and print a table or JSON."""
    model = load(folder, custom)
    real = open_source(source, size=size)
    found: dict[str, Any] = {"source": source, **_bits(model, real, number, seed)}
    quality = _judged(model, real, number, steps, seed)
    if quality is not None:
        found["quality"] = quality.plain()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    held = "held-out" if found["held_out"] else "training"
    typer.echo(
        f"bound  {found['bits_per_dim']:.4f} ± {found['standard_error']:.4f} bits/dim  "
        f"({found['items']} {held} items, {found['terms']} terms)"
    )
    if quality is not None:
        typer.echo(str(quality))


def _bits(model: Model[Any], real: Source, number: int, seed: int) -> dict[str, Any]:
    """The mean of the bound over items spread evenly over the source, with its standard error."""
    held = real.w_test is not None
    data = _data(model, real.w_test, real.y_test) if held else _data(model, real.w, real.y)
    count = min(number, BOUND, len(data))
    terms = min(model.schedule.steps, TERMS)
    index = torch.linspace(0, len(data) - 1, count).long()
    values = []
    for part in torch.split(index, max(1, min(64, model.data.batch))):
        w, y = fetch(data, part)
        _same_shape(model, w)
        progress = sys.stderr.isatty()
        values.append(model.nll(w, y, steps=terms, seed=seed + int(part[0]), progress=progress))
    bits = torch.cat(values).double()
    error = float(bits.std()) / math.sqrt(count) if count > 1 else float("nan")
    return {
        "bits_per_dim": float(bits.mean()), "standard_error": error, "items": count,
        "terms": terms, "held_out": held,
    }  # fmt: skip


def _data(model: Model[Any], w: Any, y: Any) -> Data:
    """The model's transform on other items. Labels that the network does not know are left out."""
    labels = getattr(model.net, "labels", None)
    known = labels != 0 and y is not None
    data = model.data
    return type(data)(**{**arguments(data), "w": w, "y": y if known else None})


def _same_shape(model: Model[Any], w: State) -> None:
    """Raise unless the items are such as the model was trained on."""
    try:
        x = model.encode(w)
    except (RuntimeError, IndexError, ValueError) as error:
        raise MismatchError(
            f"the model and the source do not fit: {type(model.data).__name__}.encode takes other "
            f"items ({error})."
        ) from error
    if isinstance(x, Tensor) and tuple(x.shape[1:]) != tuple(model.shape):
        raise MismatchError(
            f"the model and the source do not fit: the model makes samples of shape "
            f"{list(model.shape)}, the source has {list(x.shape[1:])}."
        )


def _judged(model: Model[Any], real: Source, number: int, steps: int, seed: int) -> Quality | None:
    """What a classifier trained on the real pictures says, where there are labels."""
    labels = getattr(model.net, "labels", 0)
    if not isinstance(labels, int) or labels < 2 or real.y is None:
        note("no labels: a classifier can't judge the samples")
        return None
    train, held = _split(model, real, seed)
    if train is None or held is None:
        note("no pictures: a classifier can't judge the samples")
        return None
    judge = Judge.fit(*train, classes=labels, seed=seed, progress=sys.stderr.isatty())
    y = torch.arange(number) % labels + 1
    calls = steps if model.time.continuous else min(steps, model.schedule.steps)
    parts = [
        model.sample(y=part, steps=calls, seed=seed + i, progress=sys.stderr.isatty())
        for i, part in enumerate(torch.split(y, 250))
    ]
    images = pictures(model.data, torch.cat(parts))
    if images is None:
        raise InputError("evaluate: the model's samples are no pictures.")
    try:
        return measure(judge, images, y, held, train)
    except DiffusionError as error:
        note(f"no Fréchet distance: {error}")
        return None


Labelled = tuple[Tensor, Tensor] | None


def _split(model: Model[Any], real: Source, seed: int) -> tuple[Labelled, Labelled]:
    """Pictures and labels to train a judge on, and others held out: a fifth where none are."""
    data = _data(model, real.w, real.y)
    w, y = fetch(data, torch.arange(len(data)))
    images = pictures(data, w)
    if images is None:
        return None, None
    if real.w_test is not None and real.y_test is not None:
        test = _data(model, real.w_test, real.y_test)
        held_w, held_y = fetch(test, torch.arange(len(test)))
        held = pictures(data, held_w)
        return (images, y), (None if held is None else (held, held_y))
    order = torch.randperm(len(y), generator=generator(seed, "held"))
    cut = len(order) // 5
    note("the source has no held-out part: a fifth of it is kept from the judge")
    return (images[order[cut:]], y[order[cut:]]), (images[order[:cut]], y[order[:cut]])
