"""The blocks between the steps of a sampling, fed with what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..base import Block
from ..trace import Record
from ..trace.settings import unwired
from .begin import Found
from .place import at, changes
from .within import Within, bare, done


class Between:
    """What looks at the blocks between two steps.

    Args:
        records: of the trace. record: of the sampling's block. block: the other's.
        differs: how a block makes something else than a record says of such inputs.
    """

    def __init__(
        self, records: list[Record], record: Record, block: Block, within: Within,
        differs: Callable[[Record, Block, dict[str, Any]], str],
    ) -> None:  # fmt: skip
        self.record, self.block, self.within, self.differs = record, block, within, differs
        self.inside = list(_inside(records, record))
        self.ran = {one.path[len(record.path)] for one in self.inside}

    def __call__(self, step: int) -> Found | None:
        depth = len(self.record.path)
        for one in self.inside:
            inner = at(self.block, one.path[depth:])
            if one.step != step or (inner is not None and unwired(inner).children()):
                continue
            name = ".".join(one.path[depth:])
            if inner is None:
                if self._changed(one):
                    return Found(step, "pipeline", "it is not there", name)
                continue
            there = {**self._values(step), **one.inputs}
            given = {key: there[key] for key in inner.ports().inputs if key in there}
            what = self.differs(one, inner, given)
            if what:
                return Found(step, "block", what, name)
        return self._new(step)

    def _changed(self, one: Record) -> bool:
        """Whether a block that is not there any more changed a state, or stopped the sampling."""
        state = one.outputs.get("state")
        return bool(one.outputs.get("stop")) or state is not one.inputs.get("state", state)

    def _new(self, step: int) -> Found | None:
        for name, block in unwired(self.block).children().items():
            if name in self.ran:
                continue
            what = changes(block, self._values(step), (*self.record.path, name))
            if what:
                return Found(step, "pipeline", f"it is new: {what}", name)
        return None

    def _values(self, step: int) -> dict[str, Any]:
        """What there is after a step."""
        a = self.within.a
        taken = done(a)[step]
        said = taken.calls[-1]
        noise = bare(self.within.live.noise)
        return {
            **self.record.inputs, "state": taken.reached, "time": a.times[step + 1], "step": step,
            "steps": len(a.times) - 1, "denoised": noise.predict(said.z, said.t, said.hat),
        }  # fmt: skip


def _inside(records: list[Record], record: Record) -> Iterator[Record]:
    """What ran within a record."""
    depth = len(record.path)
    for one in records[records.index(record) + 1 :]:
        if len(one.path) <= depth or one.path[:depth] != record.path:
            return
        yield one
