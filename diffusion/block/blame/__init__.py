"""Which part of a pipeline made its outputs change.

One pipeline runs, traced. Its recorded inputs are fed to the blocks of the other in order; the
first that makes something else of them is to blame. Within `Denoise` the same is done step by
step: the other's network is asked about the recorded state and time, its guidance is given the
recorded outputs of the network, its sampler the recorded guided outputs, and the blocks between
the steps the recorded states. So a part is blamed for what it does, not for what it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import InputError, require
from ...rng import scope
from ..base import Block
from ..pipeline import Composite
from ..replay import EVERYTHING
from ..run import BlockError, Place, check, run
from ..trace import Trace, Tracing
from .blocks import Walk
from .told import MODULES, Blame
from .traces import compared

__all__ = ["MODULES", "Blame", "blame"]

Side = Block | Trace | str | Path


def blame(
    a: Side, b: Side, inputs: Mapping[str, Any] | None = None, tolerance: float = 0.0
) -> Blame:  # fmt: skip
    """The first block, and within a sampling the step and the module, that behaves otherwise.

    Args:
        a: what is right: a pipeline, a trace, or the path of either. b: what differs from it: the
            same; of two traces the first difference is found without running anything.
        inputs: of the pipeline, if `a` is one. Without a seed among them, 0 is taken.
        tolerance: how far numbers may be apart, relative to the largest of their tensor; 0 for
            machines that compute the same bit for bit.

    Errors: `InputError` if `a` itself fails on these inputs, or is a trace with too little in it.
    """
    require(tolerance >= 0, "blame.tolerance", "at least 0", tolerance)
    a, b = loaded(a), loaded(b)
    if isinstance(b, Trace):
        if not isinstance(a, Trace):
            raise InputError("blame: a pipeline and a trace: give the trace first.")
        return compared(a, b, tolerance)
    if isinstance(a, Trace):
        return Walk(a, b, None, tolerance).blame()
    return Walk(traced(a, inputs or {}), b, a, tolerance).blame()


def traced(pipe: Block, inputs: Mapping[str, Any]) -> Trace:
    """A run with everything kept, in memory."""
    given = dict(inputs)
    if "seed" in pipe.ports().inputs:
        given.setdefault("seed", 0)
    check(pipe.ports(), given, "blame", pipe.sizes())
    with scope(0), Tracing(None, EVERYTHING, EVERYTHING, live=True) as trace:
        try:
            run(pipe, given, Place())
        except BlockError as error:
            raise InputError(f"blame: the first pipeline itself fails: {error}") from error
    return trace


def loaded(side: Any) -> Block | Trace:
    """A pipeline or a trace, or what a path leads to."""
    if isinstance(side, (str, Path)):
        if Path(side).is_dir() and (Path(side) / "trace.json").is_file():
            return Trace.load(side)
        return Composite.load(side)
    if not isinstance(side, (Block, Trace)):
        raise InputError(f"blame: expected a pipeline or a trace; got {type(side).__name__}.")
    return side
