"""`diffusion blame`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .pipeline.commands import Custom

if TYPE_CHECKING:
    from ..block import Block
    from ..block.trace import Trace

Side = Annotated[Path, typer.Argument(help="A PIPELINE.yaml, or a folder with a trace.")]


def blame(
    context: typer.Context,
    a: Side,
    b: Side,
    inputs: Annotated[
        Path | None, typer.Option(help="An inputs.json, a folder with one, or a trace.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="How far numbers may be apart, relatively.")
    ] = 0.0,
    device: Annotated[str, typer.Option(help="Where models run.")] = "cpu",
    custom: Custom = None,
) -> None:
    """Find what makes B's outputs differ from A's: the first block, step and module.

    A runs, or its trace is taken; what its blocks were given is fed to B's. Inputs of A are
    options: --seed 3. Exit code 1 if something is to blame.
    """
    from ..block.blame import blame as work
    from ..block.trace import Trace
    from .load import classes

    known = classes(custom or [])
    first, second = (_loaded(path, known, device) for path in (a, b))
    given = {} if isinstance(first, Trace) else _inputs(first, inputs, context.args, device)
    found = work(first, second, given, tolerance)
    typer.echo(str(found))
    if found:
        raise typer.Exit(1)


def _loaded(path: Path, custom: list[type], device: str) -> Block | Trace:
    from ..block.trace import Trace
    from .pipeline.run import read

    return Trace.load(path) if path.is_dir() else read(path, custom, device)


def _inputs(block: Block, recorded: Path | None, words: list[str], device: str) -> dict[str, Any]:
    from ..block.trace import inputs
    from .pipeline.given import given

    found = {} if recorded is None else inputs(recorded)
    return {**found, **given(words, block.ports().inputs, device)}
