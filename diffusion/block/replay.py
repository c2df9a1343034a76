"""Running a block again on what a trace says it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import FileError, InputError
from ..rng import kept
from .base import Block
from .difference import Difference, difference
from .run import Place, check, run
from .trace import Record, Summary, Trace
from .trace.plain import Missing
from .trace.record import leaves
from .trace.value import Keeper

EVERYTHING = 1 << 60
"""Bounds of what is kept that nothing reaches."""


@dataclass(frozen=True)
class Replayed:
    """What a block made of recorded inputs.

    Attributes:
        outputs, recorded: by name, now and then.
        differences: by name; None where there is none.
    """

    outputs: dict[str, Any]
    recorded: dict[str, Any]
    differences: dict[str, Difference | None]

    def __bool__(self) -> bool:
        """Whether all is as it was."""
        return not any(self.differences.values())

    def __str__(self) -> str:
        said = (f"{key}: {one or 'as recorded'}" for key, one in self.differences.items())
        return "\n".join(said)


def replay(
    trace: Trace | str | Path, block: str, using: Block, step: int | None = None,
    tolerance: float = 0.0,
) -> Replayed:  # fmt: skip
    """Feed a block's recorded inputs to another, and compare what it makes.

    Args:
        trace: or its folder. block: the path of what was recorded, e.g. "decode". step: of a block
            that ran between denoising steps. using: the block to run.
        tolerance: see `difference`.

    Errors: `InputError` if inputs were too large to be kept, or `using` can't take them.
    """
    if not isinstance(trace, Trace):
        trace = Trace.load(trace)
    if not isinstance(using, Block):
        raise InputError(f"replay.using: expected a Block; got {using!r:.100}.")
    record = trace.find(block, step)
    given = fresh(record)
    check(using.ports(), given, f"replay: {type(using).__name__}", using.sizes())
    made = run(using, given, Place(record.path, record.step))
    names = {**record.outputs, **made}
    found = {key: _one(record.outputs, made, key, tolerance) for key in names}
    return Replayed(made, record.outputs, found)


def fresh(record: Record) -> dict[str, Any]:
    """A record's inputs, copied. Errors: some were not kept."""
    for key, value in record.inputs.items():
        for one in leaves(value):
            if isinstance(one, Summary):
                raise InputError(
                    f"replay: {record}'s input {key}, {one.dtype} {list(one.shape)}, was too large "
                    "to keep. Trace again with a larger bound: pipe.trace(folder, limit=..., "
                    "total=...), in bytes."
                )
            if isinstance(one, Missing):
                raise FileError(
                    f"replay: {record}'s input {key} held a {one.kind}, which a trace can't keep "
                    "on disk. Use the trace before it is written: with pipe.trace() as t."
                )
    copied: dict[str, Any] = Keeper(EVERYTHING, EVERYTHING)(record.inputs)
    return copied


def again(block: Block, given: Mapping[str, Any], record: Record) -> dict[str, Any]:
    """What a block makes where a record was made, from the same random numbers."""
    with kept():
        if record.random is not None:
            torch.set_rng_state(record.random)
        return run(block, given, Place(record.path, record.step))


def _one(
    recorded: dict[str, Any], made: dict[str, Any], key: str, tolerance: float
) -> Difference | None:
    if key not in recorded or key not in made:
        return Difference("", "was not recorded" if key in made else "is not made any more")
    return difference(recorded[key], made[key], tolerance)
