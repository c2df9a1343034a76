"""`diffusion run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer

from ...block import Block
from ...block.file import load
from ...block.run import Place, check
from ...block.run import run as run_block
from ...errors import FileError, InputError
from .given import given, recorded
from .made import write


class Wish(NamedTuple):
    """What is asked for; see the options of `diffusion run`."""

    out: Path
    only: str | None = None
    inputs: Path | None = None
    changes: tuple[str, ...] = ()
    locked: bool = False
    device: str = "cpu"


def run(path: Path, words: Sequence[str], wish: Wish, custom: Sequence[type]) -> None:
    """Run a pipeline, or one block of it, and write what it makes."""
    if wish.out.is_file():
        raise FileError(f"{wish.out}: is a file; name a folder.")
    whole = read(path, custom, wish.device, wish.changes, wish.locked)
    block, place = part(whole, wish.only)
    inputs = block.ports().inputs
    found = {} if wish.inputs is None else recorded(wish.inputs, inputs, wish.only or "")
    found |= given(words, inputs, wish.device)
    where = wish.only or str(path)
    check(block.ports(), found, where, block.sizes())
    block.foresee(found)
    for line in write(run_block(block, found, place), block, wish.out):
        typer.echo(line)


def read(
    path: Path, custom: Sequence[type], device: str = "cpu", changes: Sequence[str] = (),
    locked: bool = False,
) -> Block:  # fmt: skip
    """The pipeline in a file."""
    try:
        return load(path, custom, device, locked, changes)
    except FileError as error:
        if "custom=[" not in str(error):
            raise
        raise FileError(f"{error} Here: --custom path/to/file.py:Class.") from error


def part(block: Block, only: str | None) -> tuple[Block, Place]:
    """A block inside another by its path, such as `decode` or `refine.denoise`."""
    place = Place()
    for name in only.split(".") if only else ():
        found: Any = block[name]
        if not isinstance(found, Block):
            raise InputError(f"--only {only}: {name} is no block: {found!r:.100}.")
        block, place = found, place / name
    return block, place
