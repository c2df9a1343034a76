"""`diffusion doctor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from ...block.doctor import examine
from ...block.trace import Summary, Trace
from ...block.trace.plain import Missing
from .given import recorded
from .run import read


def doctor(
    path: Path, inputs: Path | None, modules: bool, changes: Sequence[str], device: str,
    custom: Sequence[type],
) -> bool:  # fmt: skip
    """Examine a pipeline and print what was found; whether nothing failed."""
    block = read(path, custom, device, changes)
    given: Mapping[str, Any] | None = None
    found: dict[tuple[str, ...], Any] = {}
    if inputs is not None and (inputs / "trace.json").is_file():
        for record in Trace.load(inputs).records:
            if _whole(record.inputs):
                found.setdefault(record.path, record.inputs)
        given = found.pop((), None)
    elif inputs is not None:
        given = recorded(inputs, block.ports().inputs)
    health = examine(block, given, found, modules=modules)
    typer.echo(str(health))
    return health.ok


def _whole(value: Any) -> bool:
    """Whether all of a record was kept: a trace has bounds."""
    if isinstance(value, dict):
        return all(map(_whole, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_whole, value))
    return not isinstance(value, (Summary, Missing))
