"""`diffusion show`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from ...block import Block
from ...block.drawing import mermaid as mermaid_of
from ...block.drawing import svg as svg_of
from ...block.file.write import replace
from ...block.reference import page, weighed
from ...block.tree import bare, walk
from ...errors import require
from ...folder.registry import name_of
from .run import read


def show(
    path: Path, markdown: bool, mermaid: bool, svg: Path | None, changes: Sequence[str],
    locked: bool, custom: Sequence[type],
) -> None:  # fmt: skip
    """Print what a pipeline is, or draw it."""
    if svg is not None:
        require(svg.suffix == ".svg", "--svg", "a file that ends in .svg", svg)
    block = read(path, custom, "cpu", changes, locked)
    if markdown:
        typer.echo(page(block, path.stem), nl=False)
    if mermaid:
        typer.echo(mermaid_of(block), nl=False)
    if svg is not None:
        replace(svg, svg_of(block).encode())
        typer.echo(f"wrote {svg}")
    if not (markdown or mermaid or svg is not None):
        for line in _lines(path, block):
            typer.echo(line)


def _lines(path: Path, block: Block) -> Iterator[str]:
    ports = block.ports()
    yield f"{path}: {type(block).__name__}"
    for title, listed in (("inputs", ports.inputs), ("outputs", ports.outputs)):
        yield f"\n{title}"
        yield from _table([(f"  {name}", str(port)) for name, port in listed.items()])
    yield "\nblocks"
    yield from _table([_row(place, one) for place, one in walk(block)])
    models = [(f"  {net}", f"{count} parameters", *rest) for net, count, *rest in weighed(block)]
    if models:
        yield "\nweights"
        yield from _table(models)


def _row(place: tuple[str, ...], block: Block) -> tuple[str, ...]:
    """A block's name and how deep it is, its class and version, its ports, its models."""
    ports, inner = block.ports(), bare(block)
    flow = f"{', '.join(ports.inputs) or 'nothing'} -> {', '.join(ports.outputs) or 'nothing'}"
    name = place[-1] if place else type(inner).__name__
    version = f"{name_of(type(inner))} {type(inner).version}"
    return f"  {'  ' * len(place)}{name}", version, flow


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows with their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
