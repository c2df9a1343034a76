"""`diffusion info`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from ..component import Component
from ..errors import InputError
from ..fit import MODULES
from ..folder import text
from ..folder.registry import name_of
from ..model import Model
from .load import foreign, load, place
from .words import note


def info(folder: Path, yaml: bool, custom: list[str]) -> None:
    """Print what a model is made of, as a table or as its file."""
    found = place(folder)
    stored = {"format": "diffusers"} if foreign(found) else text.read(found / "model.yaml")
    if yaml and foreign(found):
        raise InputError(f"--yaml: {found} is in the format of Diffusers, and has no model.yaml.")
    if yaml:
        typer.echo((found / "model.yaml").read_text("utf-8"), nl=False)
        return
    model = load(folder, custom)
    for line in _rows(model, stored):
        typer.echo(line)
    for doubt in model.check():
        note(f"warning: {doubt}")


def _rows(model: Model[Any], stored: dict[str, Any]) -> list[str]:
    rows = [(name, _module(getattr(model, name))) for name in MODULES]
    count = sum(value.numel() for value in model.parts.parameters())
    size = sum(value.numel() * value.element_size() for value in model.parts.parameters())
    trained = stored.get("trained") or {}
    names = model.data.names
    rows += [
        ("parameters", f"{count:,} ({size / 2**20:.1f} MiB)"),
        ("sample", f"{model.shape}, {model.state_dtype}"),
        ("classes", f"{len(names)}: {', '.join(map(str, names[:12]))}" if names else "no names"),
        ("trained", f"{trained.get('steps', 0):,} steps, {trained.get('epochs', 0)} epochs"),
        ("settings", f"ema={model.ema}, clip={model.clip}, seed={model.seed}"),
        ("format", str(stored.get("format"))),
    ]
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]


def _module(module: Any) -> str:
    if not isinstance(module, Component):
        return "none" if module is None else type(module).__name__
    return f"{module!r}  [{name_of(type(module))} version {type(module).version}]"
