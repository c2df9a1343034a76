"""How examinations are written and run.

An exam is a function from a prepared case to a verdict, with a promise and a fix beside it. It may
raise: the exception is then what was found. Every exam runs with the global generators seeded, and
they are put back after it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from .. import rng, tree
from .report import Result

Verdict: TypeAlias = tuple[bool | None, str]
"""Whether the promise holds (None: it does not apply), and the measured figure."""


@dataclass(frozen=True)
class Exam:
    """A named promise, and the function that measures whether a case keeps it."""

    name: str
    promise: str
    fix: str
    measure: Callable[[Any], Verdict]

    def run(self, case: Any, seed: int = 0) -> Result:
        """The result for one case."""
        try:
            with rng.scope(rng.fold(seed, "check", self.name)):
                passed, figure = self.measure(case)
        except Exception as error:  # whatever the examined code raises is a finding, and reported
            return Result(self.name, False, raised(error), self.promise, self.fix, error)
        return Result(self.name, passed, figure, self.promise, self.fix)


def exam(name: str, promise: str, fix: str) -> Callable[[Callable[[Any], Verdict]], Exam]:
    """Make a function from a case to a verdict an `Exam`."""
    return lambda measure: Exam(name, promise, fix, measure)


def sit(
    prepare: Callable[[], Any], exams: Iterable[Exam], needs: str, seed: int = 0
) -> Iterator[Result]:
    """Prepare a case and run the exams on it; `needs` says what a failed preparation asks for."""
    try:
        with rng.scope(rng.fold(seed, "check")):
            case = prepare()
    except Exception as error:  # as above: a finding
        yield Result("can be examined", False, raised(error), needs, "", error)
        return
    for one in exams:
        yield one.run(case, seed)


def raised(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    return f"raised {type(error).__name__}: {text[:300]}"


def skip(why: str) -> Verdict:
    """The verdict of an exam that does not apply."""
    return None, why


def within(value: float, limit: float, what: str) -> Verdict:
    """Whether a measured value is at most `limit`; NaN is not."""
    return value <= limit, f"{what} {value:.2g} (limit {limit:.2g})"


def gap(a: Any, b: Any) -> float:
    """The largest difference between two states, relative to the second one's size."""
    worst = 0.0
    for one, two in zip(_leaves(a), _leaves(b), strict=True):
        if one.shape != two.shape:
            raise ValueError(f"shapes differ: {list(one.shape)} and {list(two.shape)}")
        if one.numel() == 0:
            continue
        left, right = one.detach().double(), two.detach().double()
        same = (left == right) | (left.isnan() & right.isnan())
        differences = (left - right).masked_fill(same, 0.0).abs()
        worst = max(worst, float(differences.nan_to_num(torch.inf).max()) / _size(right))
    return worst


def _leaves(state: Any) -> list[Tensor]:
    if isinstance(state, tuple):
        return [leaf for part in state for leaf in _leaves(part)]
    return tree.leaves(state)


def _size(value: Tensor) -> float:
    known = value[value.isfinite()]
    return max(float(known.abs().max()), 1.0) if known.numel() else 1.0


def copied(state: Any) -> Any:
    """A deep copy of the tensors of a state."""
    return tree.map(lambda leaf: leaf.detach().clone(), state)


def one(state: Any, index: int) -> Any:
    """The batch that holds one sample of a state."""
    return tree.take(state, slice(index, index + 1))
