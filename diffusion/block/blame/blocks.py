"""Feeding the blocks of one pipeline with what a trace says those of another were given."""

from __future__ import annotations

from typing import Any

import torch

from ...errors import InputError
from ...fit import precision
from ...rng import kept
from ...sampling import weights
from ..base import Block
from ..coder import Decode, Describe, Encode
from ..denoise import Denoise
from ..difference import difference
from ..parallel import Parallel
from ..pipeline import Pipeline
from ..replay import EVERYTHING, again, fresh
from ..run import Place, run
from ..trace import Record, Trace, Tracing
from ..trace.settings import settings, unwired
from .begin import Found
from .between import Between
from .parts import networks, settled, weighed
from .place import Path, at, changes
from .told import Blame
from .within import Within


class Walk:
    """One trace against one pipeline.

    Args:
        a: the trace. b: the pipeline. was: the traced pipeline, if it is there: then the weights
            that differ are named.
    """

    def __init__(self, a: Trace, b: Block, was: Block | None, tolerance: float) -> None:
        self.records, self.b, self.was, self.tolerance = a.records, b, was, tolerance
        self.values: dict[Path, dict[str, Any]] = {}

    def blame(self) -> Blame:
        """The first thing that differs; nothing if nothing does."""
        own = [record for record in self.records if record.step is None]
        for record in own:
            found = self._look(record)
            if found:
                return found
        made = (self._whole(record) for record in reversed(own) if self._composed(record))
        return next((found for found in made if found), Blame())

    def _look(self, record: Record) -> Blame:
        if record.error:
            raise InputError(f"blame: the first pipeline itself fails, in {record}: {record.error}")
        block = at(self.b, record.path)
        if block is None:
            return self._missing(record)
        found = self._added(record)
        if found:
            return found
        inputs = self._inputs(record, block)
        if self._composed(record):
            self.values[record.path] = dict(record.inputs)
            return Blame()
        found = self._tested(record, block, inputs)
        if record.path:
            self.values.setdefault(record.path[:-1], {}).update(record.outputs)
        return found

    def _tested(self, record: Record, block: Block, inputs: dict[str, Any]) -> Blame:
        if isinstance(unwired(block), Denoise) and len(record.sampled) == 1:
            return self._denoise(record, block, inputs)
        what = self._differs(record, block, inputs)
        if not what:
            return Blame()
        details = self._details(record, block)
        return Blame(
            record.name, record.step, _module(block, details, self._before(record)), what, details
        )

    def _differs(self, record: Record, block: Block, inputs: dict[str, Any]) -> str:
        """How what a block makes differs from what was recorded."""
        try:
            made = again(block, inputs, record)
            if self._composed(record):  # it may make more
                made = {key: value for key, value in made.items() if key in record.outputs}
        except Exception as error:
            return f"raises {type(error.__cause__ or error).__name__}: {error.__cause__ or error}"
        found = difference(record.outputs, made, self.tolerance)
        return "" if found is None else str(found)

    def _inputs(self, record: Record, block: Block) -> dict[str, Any]:
        """What the other block would be given where the record was made."""
        given = fresh(record)
        parent = at(self.b, record.path[:-1]) if record.path else None
        if parent is None or not isinstance(unwired(parent), Pipeline):
            return given
        there = {**self.values.get(record.path[:-1], {}), **given}
        return {key: there[key] for key in block.ports().inputs if key in there}

    def _denoise(self, record: Record, block: Block, inputs: dict[str, Any]) -> Blame:
        failed: Exception | None = None
        made: dict[str, Any] = {}
        with Tracing(None, EVERYTHING, EVERYTHING, live=True) as trace, kept():
            if record.random is not None:
                torch.set_rng_state(record.random)
            try:
                made = run(block, inputs, Place(record.path))
            except Exception as error:
                failed = error
        apart = difference(record.outputs, made, self.tolerance)
        if failed is None and apart is None:
            return Blame()
        sampled = trace.records[0].sampled
        details = self._details(record, block)
        what = str(apart) if failed is None else str(failed)
        bound = [line for line in details if line.startswith("bound.")]
        if bound:
            module = "seed" if bound[0].startswith("bound.seed:") else "inputs"
            return Blame(record.name, None, module, what, details)
        if not sampled:
            return Blame(record.name, None, "block", what, details)
        within = Within(record.sampled[0], sampled[0], self.tolerance)
        found = within.found(Between(self.records, record, block, within, self._differs))
        if found is None:
            return Blame(record.name, None, "block", what, details)
        if found.block:
            return self._inner(record, found)
        if found.module == "net":
            details = (*details, *within.layer())
        return Blame(record.name, found.step, found.module, found.what, details)

    def _inner(self, record: Record, found: Found) -> Blame:
        """Of a block between the steps."""
        name = f"{record.name}.{found.block}"
        path = (*record.path, *found.block.split("."))
        there = [one for one in self.records if one.path == path]
        block = at(self.b, path)
        details = self._details(there[0], block) if there and block is not None else ()
        return Blame(name, found.step, found.module, found.what, details)

    def _added(self, record: Record) -> Blame:
        """A block that the other has before this one, if it changes what this one reads."""
        if not record.path:
            return Blame()
        *above, name = record.path
        parent = at(self.b, tuple(above))
        if parent is None or not isinstance(unwired(parent), (Pipeline, Parallel)):
            return Blame()
        depth = len(above)
        inside = [one.path for one in self.records if one.path[:depth] == record.path[:-1]]
        ran = {path[depth] for path in inside if len(path) > depth}
        values = self.values.get(tuple(above), {})
        for new, block in unwired(parent).children().items():
            if new == name:
                break
            what = "" if new in ran else changes(block, values, record.path)
            if what:
                return Blame(".".join((*above, new)), None, "pipeline", f"it is new: {what}")
        return Blame()

    def _missing(self, record: Record) -> Blame:
        """Blame a block that the other lacks, if it changed or made something."""
        if at(self.b, record.path[:-1]) is None:
            return Blame()  # nor is what it was part of: that has been looked at
        before = self.values.get(record.path[:-1], {})
        if all(difference(before.get(k, ...), v) is None for k, v in record.outputs.items()):
            return Blame()
        return Blame(record.name, record.step, "pipeline", "it is not there")

    def _whole(self, record: Record) -> Blame:
        """Of a composition: what it makes of its inputs, when each block does as before."""
        block = at(self.b, record.path)
        what = "" if block is None else self._differs(record, block, fresh(record))
        if block is None or not what:
            return Blame()
        return Blame(record.name, None, "pipeline", what, self._details(record, block))

    def _composed(self, record: Record) -> bool:
        block = at(self.b, record.path)
        return block is not None and _composed(block)

    def _details(self, record: Record, block: Block) -> tuple[str, ...]:
        """Settings and weights that differ."""
        said = settled(record.settings, settings(block))
        before = self._before(record)
        if before is not None:
            said += weighed(networks(before), networks(block))
        if not said and record.kind != type(unwired(block)).__name__:
            said = [f"{record.kind} → {type(unwired(block)).__name__}"]
        return tuple(said)

    def _before(self, record: Record) -> Block | None:
        return None if self.was is None else at(self.was, record.path)


def _composed(block: Block) -> bool:
    """Whether a block is made of others, which are looked at themselves."""
    return bool(unwired(block).children()) and not isinstance(unwired(block), Denoise)


def _module(block: Block, details: tuple[str, ...], before: Block | None) -> str:
    """What of a block is to blame: a module of its model, what it is given for good, or itself."""
    if any(line.startswith("bound.") for line in details):
        return "inputs"
    if any(line.startswith("names.") for line in details):
        return "pipeline"
    own = unwired(block)
    if not isinstance(own, (Decode, Describe, Encode)):
        return "block"
    old = None if before is None else unwired(before)
    if isinstance(old, type(own)):
        nets = [weights(one.model)[0] for one in (old, own)]
        if precision(nets[0]) != precision(nets[1]):
            return "net"
    return "data" if type(old) in (type(own), type(None)) else "block"
