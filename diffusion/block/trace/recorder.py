"""Recording every block of a pipeline while it runs."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping
from contextvars import Token
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from ...errors import InputError, require
from ...sampling.tap import TAP, Ear
from ..base import Block
from ..run import RECORDER, Place
from .folder import write
from .listen import Listener
from .record import Record
from .settings import Models, Settings, about, settings, unwired
from .trace import Trace
from .value import LIMIT, TOTAL, Keeper


class Recorder:
    """Keeps what goes into and comes out of every block, and the steps of every sampling.

    Args:
        live: whether the modules of samplings are kept, to run them again.
    """

    def __init__(self, limit: int = LIMIT, total: int = TOTAL, live: bool = False) -> None:
        self.trace = Trace(about=about())
        self.keep, self.live = Keeper(limit, total), live
        self.began = time.perf_counter()
        self.current: Record | None = None
        self._settings: dict[int, tuple[Block, Settings]] = {}
        self._models: Models = {}

    def record(
        self, block: Block, given: Mapping[str, Any], at: Place, work: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        kind = type(unwired(block))
        record = Record(
            at.path, at.step, kind.__name__, kind.version, self.keep(dict(given)),
            settings=self._of(block), random=torch.get_rng_state() if self.live else None,
        )  # fmt: skip
        self.trace.records.append(record)
        outer, self.current = self.current, record
        peak = _peak()
        record.start = _now() - self.began
        try:
            made = work()
        except BaseException as error:
            record.error = f"{type(error).__name__}: {error}"
            raise
        finally:
            record.seconds = _now() - self.began - record.start
            record.peak = _peak()
            record.grew = record.peak - peak
            self.current = outer
        record.outputs = self.keep(made)
        return made

    def sampling(self) -> Ear | None:
        """A listener, if a block is running."""
        record = self.current
        return None if record is None else Listener(self.keep, record.sampled, self.live)

    def _of(self, block: Block) -> dict[str, Any]:
        known = self._settings.get(id(block))
        if known is None:
            known = self._settings[id(block)] = block, settings(block, self._models)
        return known[1]


class Tracing:
    """The context that `pipe.trace(...)` opens. It gives the `Trace`, which fills as blocks run.

    When it closes, after a failure too, the trace is written as one folder.

    Args:
        folder: where to; None keeps the trace in memory. limit, total: bytes of one tensor and of
            all, beyond which only statistics and a hash are kept.
    """

    def __init__(
        self, folder: str | Path | None = None, limit: int = LIMIT, total: int = TOTAL,
        live: bool = False,
    ) -> None:  # fmt: skip
        for name, value in (("limit", limit), ("total", total)):
            require(isinstance(value, int) and value >= 0, f"trace.{name}", "bytes", value)
        self.folder = None if folder is None else Path(folder)
        self.bounds, self.live = (limit, total), live
        self._tokens: list[tuple[Any, Token[Any]]] = []

    def __enter__(self) -> Trace:
        if RECORDER.get() is not None:
            raise InputError("trace: a trace is open already; close it first.")
        recorder = Recorder(*self.bounds, self.live)
        self.trace = recorder.trace
        self._tokens = [(RECORDER, RECORDER.set(recorder)), (TAP, TAP.set(recorder))]
        return self.trace

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        for variable, token in self._tokens:
            variable.reset(token)
        if self.folder is not None:
            write(self.trace, self.folder)


def _now() -> float:
    """The time, when all that was asked of a device is done."""
    if _on_device():
        torch.cuda.synchronize()
    return time.perf_counter()


def _peak() -> int:
    """The most bytes the process ever held: of the device if one is used."""
    if _on_device():
        return torch.cuda.max_memory_allocated()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return own if sys.platform == "darwin" else own * 1024


def _on_device() -> bool:
    used: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return used
