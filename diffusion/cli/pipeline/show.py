"""`diffusion show`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from torch import Tensor, nn

from ...block import Block
from ...block.drawing import mermaid as mermaid_of
from ...block.drawing import svg as svg_of
from ...block.file.write import replace
from ...block.tree import bare, held, walk
from ...errors import require
from ...folder.registry import name_of
from ...model import Model
from .run import read


def show(
    path: Path, mermaid: bool, svg: Path | None, changes: Sequence[str], locked: bool,
    custom: Sequence[type],
) -> None:  # fmt: skip
    """Print what a pipeline is, or draw it."""
    if svg is not None:
        require(svg.suffix == ".svg", "--svg", "a file that ends in .svg", svg)
    block = read(path, custom, "cpu", changes, locked)
    if mermaid:
        typer.echo(mermaid_of(block), nl=False)
    if svg is not None:
        replace(svg, svg_of(block).encode())
        typer.echo(f"wrote {svg}")
    if not mermaid and svg is None:
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
    models = _models(block)
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


def _models(block: Block) -> list[tuple[str, ...]]:
    """Every model and network once: its network, where it is from, its size."""
    rows, seen = list[tuple[str, ...]](), set[int]()
    for _, what in held(block):
        if isinstance(what, Model):
            module, name = what.parts, type(what.net).__name__
            source = "built here" if what.source is None else what.source.place
        elif isinstance(what, nn.Module) and [*what.parameters()]:
            module, name, source = what, type(what).__name__, "in this file"
        else:
            continue
        tensors = [*module.parameters(), *module.buffers()]
        new = [one for one in tensors if one.data_ptr() not in seen]
        seen |= {one.data_ptr() for one in tensors}
        shared = "" if len(new) == len(tensors) else ", shared"
        count = sum(one.numel() for one in module.parameters())
        rows.append((f"  {name}", f"{count:,} parameters", _size(new) + shared, source))
    return rows


def _size(tensors: Sequence[Tensor]) -> str:
    size = sum(one.numel() * one.element_size() for one in tensors)
    return f"{size / 2**20:,.1f} MiB"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows with their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
