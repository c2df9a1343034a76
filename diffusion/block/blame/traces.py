"""Two traces side by side: the first that differs of what was the same until then."""

from __future__ import annotations

from typing import Any

from ..difference import difference
from ..trace import Record, Trace
from ..trace.record import Sampled, Step
from .begin import Found, begins
from .parts import settled
from .told import Blame
from .within import mover


def compared(a: Trace, b: Trace, tolerance: float) -> Blame:
    """The first block whose outputs differ though its inputs do not, and what in it."""
    if not (a.records and b.records):
        return Blame()
    found = difference(a.records[0].inputs, b.records[0].inputs, tolerance)
    if found is not None:
        return Blame(a.records[0].name, None, "inputs", str(found))
    for one in a.records:
        other = next((r for r in b.records if (r.path, r.step) == (one.path, one.step)), None)
        if other is None:
            return Blame(one.name, one.step, "pipeline", "it did not run")
        blame = _record(one, other, a, tolerance)
        if blame:
            return blame
    return _new(a, b)


def _record(one: Record, other: Record, a: Trace, tolerance: float) -> Blame:
    details = tuple(settled(one.settings, other.settings))
    if len(one.sampled) == len(other.sampled) == 1:
        found = sampled(one.sampled[0], other.sampled[0], tolerance)
        inside = [r for r in a.records if r.step is not None and r.path[:-1] == one.path]
        if found is not None and not (found.module == "block" and inside):
            return Blame(one.name, found.step, found.module, found.what, details)
    depth = len(one.path)
    if any(len(r.path) > depth and r.path[:depth] == one.path for r in a.records):
        return Blame()  # what it is made of is compared itself
    if difference(one.inputs, other.inputs, tolerance) is not None:
        return Blame(one.name, one.step, "pipeline", "it was given something else", details)
    apart = difference(one.outputs, other.outputs, tolerance)
    if other.error and not one.error:
        return Blame(one.name, one.step, "block", other.error, details)
    if apart is None:
        return Blame()
    data = one.kind in ("Encode", "Decode", "Describe")
    return Blame(one.name, one.step, "data" if data else "block", str(apart), details)


def _new(a: Trace, b: Trace) -> Blame:
    known = {one.path for one in a.records}
    new = next((one for one in b.records if one.path not in known), None)
    if new is None or difference(a.records[0].outputs, b.records[0].outputs) is None:
        return Blame()
    return Blame(new.name, new.step, "pipeline", "it is new")


def sampled(a: Sampled, b: Sampled, tolerance: float) -> Found | None:
    """The first difference of two samplings, step by step, in the order things are made."""
    first = begins(a, b, tolerance)
    if first is not None:
        return first
    for k, (one, other) in enumerate(zip(a.steps, b.steps, strict=False)):
        found = _step(one, other, tolerance)
        if found is not None:
            module, what = found
            module = mover(a, b) if module == "sampler" else module
            return Found(k, module, what)
    return None


def _step(one: Step, other: Step, tolerance: float) -> tuple[str, str] | None:
    for call, called in zip(one.calls, other.calls, strict=False):
        pairs: list[tuple[str, Any, Any]] = [("sampler", (call.z, call.t), (called.z, called.t))]
        for asked, again in zip(call.network, called.network, strict=False):
            pairs.append(("guidance", (asked.z, asked.t), (again.z, again.t)))
            pairs.append(("net", asked.hat, again.hat))
        pairs.append(("guidance", len(call.network), len(called.network)))
        pairs.append(("guidance", call.hat, called.hat))
        for module, x, y in pairs:
            found = difference(x, y, tolerance)
            if found is not None:
                return module, str(found)
    ends = [("sampler", len(one.calls), len(other.calls)),
            ("sampler", one.reached, other.reached), ("block", one.state, other.state)]  # fmt: skip
    for module, x, y in ends:
        found = difference(x, y, tolerance)
        if found is not None:
            return module, str(found)
    return None
