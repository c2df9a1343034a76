"""`diffusion train`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import typer

from ..data.source import Source, open_source
from ..errors import DiffusionError, FileError, InputError, MismatchError
from ..fit import MODULES
from ..folder import text
from ..folder.config import describe
from ..model import Model
from ..train.checkpoint import latest
from .load import classes
from .parts import Checked, Part
from .recipe import Recipe
from .words import note

MEANING = ("data", "schedule", "noise", "net")
"""Modules that give the weights their meaning: a run can't continue with others."""


def train(
    config: Path, changes: list[str], epochs: int | None, folder: Path | None, custom: list[str]
) -> None:
    """Train what a configuration says, into its folder, up to its number of epochs."""
    recipe = Recipe(config, classes(custom))
    for change in changes:
        recipe.set(change)
    count = epochs or _setting(recipe, "epochs")
    if count is None:
        raise FileError(f"{config}: train.epochs is missing; or give --epochs.")
    where = folder or Path(_setting(recipe, "folder") or f"runs/{config.stem}")
    model, _ = assemble(recipe)
    _announce(model, where, count)
    begin = time.monotonic()
    run = model.train(count, where, **_every(recipe), progress=sys.stderr.isatty())
    for loss in _until_interrupted(run, where, count):
        typer.echo(_line(model, loss, count, time.monotonic() - begin))
    model.save(where / "model")
    typer.echo(f"saved {where / 'model'}\nnext: diffusion sample {where / 'model'}")


def assemble(recipe: Recipe) -> tuple[Model[Any], Source]:
    """The model of a recipe, and the source of its data."""
    given = {key: found.value for key, found in recipe.source.items()}
    part = recipe.modules.get("data")
    if part is None:
        raise FileError(f"{recipe.path}: the key 'data' is missing, e.g. data: {{Images: {{}}}}.")
    if not given.get("path"):
        raise FileError(
            f"{recipe.path}: the key 'source' is missing: what to train on, e.g. source: digits."
        )
    source = _open(given.pop("path"), given, recipe.source["path"].node.place)
    for key, value in (("w", source.w), ("y", source.y)):
        _refuse(part, key)
        part.arguments[key] = value
    for key, known in (("names", source.names), ("alphabet", source.alphabet)):
        if known and key not in part.arguments:
            part.arguments[key] = known
    _classes_fit(part, source)
    return recipe.model(), source


def _open(path: str, options: dict[str, Any], place: str) -> Source:
    try:
        return open_source(path, **options)
    except DiffusionError as error:
        raise type(error)(f"{place}: {error}") from error


def _refuse(part: Part, key: str) -> None:
    if key in part.arguments:
        place = getattr(part.arguments[key], "node", part).place
        raise FileError(f"{place}: {part.name}.{key} comes from `source`; remove it here.")


def _classes_fit(part: Part, source: Source) -> None:
    """Ids beyond the classes of the transform fail far from here, and in torch's words."""
    found = part.arguments.get("k")
    w = source.w
    if not isinstance(found, Checked) or not isinstance(w, torch.Tensor) or w.is_floating_point():
        return
    high = int(w.max())
    if high >= found.value:
        hint = f" The text has {len(source.alphabet)} characters." if source.alphabet else ""
        raise InputError(
            f"{found.node.place}: {part.name}.k: ids go up to {high}, so it must be at least "
            f"{high + 1}; got {found.value}.{hint}"
        )


def _setting(recipe: Recipe, name: str) -> Any:
    found = recipe.train.get(name)
    return None if found is None else found.value


def _every(recipe: Recipe) -> dict[str, float]:
    every = _setting(recipe, "every")
    return {} if every is None else {"every": every}


def _announce(model: Model[Any], folder: Path, epochs: int) -> None:
    """Say what is trained and where it continues; refuse to continue something else."""
    count = sum(value.numel() for value in model.trainable())
    note(f"{type(model.net).__name__}, {count:,} parameters, {len(model.data):,} items")
    for doubt in model.check():
        note(f"warning: {doubt}")
    found = latest(folder) if folder.is_dir() else None
    if found is None:
        note(f"training {epochs} epochs into {folder}")
        return
    for path, old, new in changes_since(found, model):
        if path.split(".")[0] in MEANING:
            raise MismatchError(
                f"{found}: was trained with {path} = {old!r}, the configuration says {new!r}; its "
                "weights mean something else. Use the same value, or another --folder."
            )
        note(f"changed since {found.name}: {path} = {old!r} -> {new!r}")
    note(f"continuing from {found}, up to {epochs} epochs in all")


def changes_since(folder: Path, model: Model[Any]) -> Iterator[tuple[str, Any, Any]]:
    """What differs between the modules of a checkpoint and those of a model."""
    then = text.read(folder / "model.yaml")
    now: dict[str, Any] = {name: describe(getattr(model, name), {}, name) for name in MODULES}
    now |= {name: describe(getattr(model, name), {}, name) for name in ("ema", "clip")}
    yield from _compare("", {k: v for k, v in then.items() if k in now}, now)


def _compare(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict) and old.get("id") == new.get("id"):
        for key in {**old, **new}:
            inner = f"{path}.{key}" if path else str(key)
            yield from _compare(inner, old.get(key), new.get(key))
    elif old != new:
        yield path, _short(old), _short(new)


def _short(value: Any) -> Any:
    return value["id"] if isinstance(value, dict) and "id" in value else value


def _until_interrupted(run: Iterator[float], folder: Path, epochs: int) -> Iterator[float]:
    """The epochs; an interruption says how to go on."""
    try:
        yield from run
    except KeyboardInterrupt as stop:
        said = str(stop).split(":")[0] or "SIGINT"
        raise KeyboardInterrupt(
            f"{said}: everything up to here is in {folder}. The same command continues there."
        ) from None


def _line(model: Model[Any], loss: float, epochs: int, seconds: float) -> str:
    """One line for an epoch: its losses, and the time since the start."""
    history = model.run.history
    terms = {name: value for name, value in history[-1].items() if name != "loss"}
    each = ", ".join(f"{name} {value:.4f}" for name, value in terms.items())
    width = len(str(epochs))
    more = f"  ({each})" if len(terms) > 1 else ""
    return f"epoch {len(history):{width}}/{epochs}  loss {loss:.4f}{more}  {seconds:.0f} s"
