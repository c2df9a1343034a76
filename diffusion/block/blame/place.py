"""Finding a block by its place, and what it changes."""

from __future__ import annotations

from typing import Any

from ...rng import kept
from ..base import Block
from ..difference import difference
from ..run import Place, run
from ..trace.settings import unwired

Path = tuple[str, ...]


def at(block: Block, path: Path) -> Block | None:
    """The block at a path of records, in which what is repeated is called by numbers."""
    for name in path:
        inner = unwired(block).children()
        found = inner.get(name) or (inner.get("block") if name.isdecimal() else None)
        if found is None:
            return None
        block = found
    return block


def changes(block: Block, values: dict[str, Any], path: Path) -> str:
    """What a block makes of values that are there already, where it is something else."""
    inputs = {key: values[key] for key in block.ports().inputs if key in values}
    try:
        with kept():
            made = run(block, inputs, Place(path))
    except Exception as error:
        return f"raises {type(error.__cause__ or error).__name__}: {error.__cause__ or error}"
    there = {key: value for key, value in made.items() if key in values}
    found = difference({key: values[key] for key in there}, there)
    return "" if found is None else str(found)
