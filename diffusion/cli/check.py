"""`diffusion check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import typer

from ..check import Report
from ..check import check as examine
from ..component import Component, signature
from ..errors import InputError, require
from ..folder import lines
from ..folder.typed import hints
from ..model import Model
from .load import classes, load, named
from .parts import build
from .recipe import Recipe
from .train import assemble
from .words import note

EXAMPLES: dict[str, Any] = {
    "steps": 100, "start": 0.9999, "end": 0.98, "k": 5, "count": 5,
    "mu": torch.linspace(-1, 1, 12).reshape(4, 3),
    "sigma": torch.linspace(0.4, 1.3, 12).reshape(4, 3),
    "logits": torch.linspace(-1, 1, 60).sin().reshape(4, 3, 5),
    "p": torch.linspace(0.1, 1, 60).reshape(4, 3, 5).softmax(-1),
}  # fmt: skip
"""Arguments that classes commonly need, where the command line does not give them."""


def check(target: str, changes: list[str], custom: list[str], quiet: bool) -> bool:
    """Examine what `target` names and print the reports; whether all passed."""
    path = Path(target)
    if path.is_dir():
        require(not changes, "--set", "no changes to a saved model", changes)
        reports = [examine(load(path, custom))]
    elif path.suffix in (".yaml", ".yml"):
        reports = _config(path, changes, custom)
    else:
        reports = [examine(_object(target, changes))]
    for report in reports:
        shown = report.failures if quiet else report.results
        typer.echo("\n".join([report.subject, *map(str, shown), f"  {report.summary}"]))
    return all(report.ok for report in reports)


def _config(path: Path, changes: list[str], custom: list[str]) -> list[Report]:
    """The model of a configuration; without data, its modules one by one."""
    recipe = Recipe(path, classes(custom))
    for change in changes:
        recipe.set(change)
    if recipe.source:
        return [examine(assemble(recipe)[0])]
    note(f"{path}: without a source there is no model: its modules are examined one by one")
    parts = [part for part in recipe.modules.values() if part is not None]
    return [examine(build(part, recipe.reader.custom)) for part in parts]


def _object(target: str, changes: list[str]) -> Component | Model[Any]:
    """The object that a target names; a class is made with examples for what it requires."""
    value = named(target)
    if isinstance(value, type) and issubclass(value, Component):
        return _made(value, target, changes)
    require(not changes, "--set", f"a class to make; {target} is an object", changes)
    if isinstance(value, (Component, Model)):
        return value
    raise InputError(
        f"{target}: expected a class derived from one of diffusion.base, an object of one, or a "
        f"Model; got {type(value).__name__}."
    )


def _made(cls: type[Component], target: str, changes: list[str]) -> Component:
    given: dict[str, Any] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        require(bool(equals), "--set", "argument=value", change)
        given[name] = lines.parse(text, f"--set {name}", numbered=False).plain()
    for name, parameter in signature(cls).parameters.items():
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if name not in given and parameter.default is parameter.empty and not variadic:
            given[name] = _example(cls, name, target)
    try:
        return cls(**given)
    except TypeError as error:
        raise InputError(f"{target}: {error}") from error


def _example(cls: type, name: str, target: str) -> Any:
    """A value for a required argument, by its name or its type."""
    found = EXAMPLES.get(name, {int: 4, float: 0.5}.get(hints(cls).get(name, object)))
    if found is None:
        raise InputError(
            f"{target}: {cls.__name__} requires {name!r}; give it, --set {name}=VALUE, or make an "
            "object in the file, and name that."
        )
    return found
