"""What every block promises, as exams; see `diffusion.check.exam`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..check.exam import Exam, Verdict, exam, gap, raised, skip, within
from ..component import same
from . import kind, shape
from .base import Block
from .run import Place

LIMIT = 1e-4
"""Of rounding, where sums are taken in another order."""


class Case:
    """A block, and inputs for it."""

    def __init__(self, block: Block, given: dict[str, Any]) -> None:
        self.block, self.given = block, given
        self.kept = True

    def run(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What it makes of a copy of inputs."""
        return self.block.run(copied(dict(given)), Place())

    @cached_property
    def first(self) -> tuple[dict[str, Any], str]:
        """What it makes, or why it does not."""
        mine = copied(self.given)
        try:
            made = self.block.run(mine, Place())
        except Exception as error:  # whatever the examined code raises is a finding
            return {}, raised(error)
        self.kept = apart(mine, self.given) == 0
        return made, ""


def _after(measure: Callable[[Case, dict[str, Any]], Verdict]) -> Callable[[Case], Verdict]:
    """An exam that needs what the block made."""

    def measured(case: Case) -> Verdict:
        made, why = case.first
        return skip("it did not run") if why else measure(case, made)

    return measured


@exam(
    "runs",
    "A block runs on inputs that fit its ports.",
    "Run it alone, block(...), with these inputs; its error says what it met.",
)
def runs(case: Case) -> Verdict:
    why = case.first[1]
    return not why, why or "on " + (", ".join(case.given) or "no inputs")


@exam(
    "as declared",
    "A block returns the outputs that it declares, of their types and shapes.",
    "Change the annotation of what __call__ returns, or what it returns.",
)
@_after
def declared(case: Case, made: dict[str, Any]) -> Verdict:
    ports, known = case.block.ports(), dict(case.block.sizes())
    if made.keys() != ports.outputs.keys():
        return False, f"returned {', '.join(made) or 'nothing'}"
    for name, value in {**case.given, **made}.items():
        port = (ports.outputs if name in made else ports.inputs)[name]
        if name in made and not kind.holds(value, port.type):
            return False, f"{name} is a {type(value).__name__}, declared as {port}"
        if port.shape is not None and isinstance(value, Tensor):
            reason = shape.fits(port.shape, tuple(value.shape), known)
            if reason is not None:
                return False, f"{name}: {reason}"
    return True, ", ".join(made) or "nothing"


@exam(
    "same again",
    "The same inputs give the same outputs.",
    "Draw what is random from a seed that is an input (diffusion.rng); keep nothing between calls.",
)
@_after
def again(case: Case, made: dict[str, Any]) -> Verdict:
    return within(apart(case.run(case.given), made), 0.0, "largest difference")


@exam(
    "inputs kept",
    "A block changes none of its inputs: other blocks read them too.",
    "Use no in-place operations (names that end in _, +=, x[...] = ...) on inputs; copy first.",
)
@_after
def kept(case: Case, made: dict[str, Any]) -> Verdict:
    return case.kept, "" if case.kept else "an input is another after the call"


@exam(
    "each alone",
    "What a block makes of one sample does not depend on the others in the batch.",
    "Take no means or sums over the first axis, and draw noise for each sample from its own seed.",
)
@_after
def alone(case: Case, made: dict[str, Any]) -> Verdict:
    size = _batch(case)
    several = {k: v for k, v in made.items() if size > 1 and _rows(v) == size}
    if not several:
        return skip("no batch axis in what it reads and makes")
    inputs = case.block.ports().inputs
    one = {name: _first(name, value, size, inputs[name]) for name, value in case.given.items()}
    single = case.run(one)
    worst = max(apart(single[name], value[:1]) for name, value in several.items())
    whole = all(isinstance(v, Tensor) and not v.is_floating_point() for v in several.values())
    return within(worst, 1.01 / 255 if whole else LIMIT, "largest difference")  # bytes are rounded


EXAMS: tuple[Exam, ...] = (runs, declared, again, kept, alone)


def _batch(case: Case) -> int:
    """How many samples the inputs are of, by their declared first axes; 0 if none say so."""
    for name, port in case.block.ports().inputs.items():
        value = case.given.get(name)
        if name == "batch" and isinstance(value, int):
            return value
        axes = port.shape.sizes if port.shape else ()
        if isinstance(value, Tensor) and axes and isinstance(axes[0], str):
            return len(value)
        if isinstance(value, list) and value and kind.holds(value[0], port.type):
            return len(value)  # one or many may be given
    return 0


def _rows(value: Any) -> int:
    several = isinstance(value, list) or (isinstance(value, Tensor) and value.dim() > 0)
    return len(value) if several else 0


def _first(name: str, value: Any, size: int, port: Any) -> Any:
    """The part of an input that belongs to the first sample."""
    if name == "batch":
        return 1
    if isinstance(value, dict):
        return {key: _first("", item, size, None) for key, item in value.items()}
    if isinstance(value, Tensor):
        fixed = port is not None and port.shape and not isinstance(port.shape.sizes[0], str)
        return value if fixed or _rows(value) != size else value[:1]
    return value[:1] if isinstance(value, list) and len(value) == size else value


def copied(value: Any) -> Any:
    """A value whose tensors and containers are copies."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(copied, value)) if type(value) in (list, tuple) else value
    return value.copy() if isinstance(value, np.ndarray) else value


def apart(a: Any, b: Any) -> float:
    """The largest difference between two values, relative to their size; infinite if unlike."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return gap(a, b) if a.shape == b.shape and a.dtype == b.dtype else torch.inf
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return max((apart(a[key], b[key]) for key in a), default=0.0)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        return max(map(apart, a, b), default=0.0)
    if hasattr(a, "__array_interface__") and hasattr(b, "__array_interface__"):  # pictures of PIL
        return 0.0 if np.array_equal(np.asarray(a), np.asarray(b), equal_nan=False) else torch.inf
    return 0.0 if a is b or same(a, b) else torch.inf
