"""Grids: as many steps as they say, strictly down to the data, on every schedule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..noise.clock import Clock
from ..schedule import Cosine, Flow
from .exam import Exam, Verdict, exam, sit
from .report import Result
from .setting import Setting

NEEDS = "times(clock, continuous) returns steps + 1 host times that fall to 0."


@dataclass
class Case:
    """A grid, and the times it gives: of each clock, continuous and in steps."""

    grid: Any
    found: list[tuple[Clock, bool, list[Any]]]


def examine(grid: Any, setting: Setting) -> Iterator[Result]:
    """The results for a grid."""
    size = max(2 * grid.steps, 50)
    clocks = [Clock(one) for one in (Cosine(size), Flow(size))]
    if setting.schedule is not None:
        clocks.append(Clock(setting.schedule))

    def prepare() -> Case:
        kinds = [(clock, continuous) for clock in clocks for continuous in (True, False)]
        return Case(grid, [(clock, kind, grid.times(clock, kind)) for clock, kind in kinds])

    yield from sit(prepare, EXAMS, NEEDS, setting.seed)


@exam(
    "number of steps",
    "There are steps + 1 times.",
    "Count the step to the data: 10 steps are 10 noisy times and 0.",
)
def count(case: Case) -> Verdict:
    found = {len(times) for _, _, times in case.found}
    return found == {case.grid.steps + 1}, f"{sorted(found)} times for {case.grid.steps} steps"


@exam(
    "falls to 0",
    "Times fall strictly, from T at most to exactly 0.",
    "Pass integer times through diffusion.grid.inverse.falling, which parts those that coincide.",
)
def falls(case: Case) -> Verdict:
    for clock, continuous, times in case.found:
        top = 1.0 if continuous else clock.steps
        if times[0] > top or times[-1] != 0 or any(a <= b for a, b in pairwise(times)):
            return False, f"{[round(t, 4) for t in times[:5]]}... on {clock.inner!r}"
    return True, f"on {len(case.found)} clocks"


@exam(
    "type",
    "Times are Python floats where they are continuous, and Python integers where they are not.",
    "Return tensor.tolist(); write 0.0 for a continuous end.",
)
def kinds(case: Case) -> Verdict:
    for _, continuous, times in case.found:
        wrong = {type(t) for t in times} - {float if continuous else int}
        if wrong:
            return False, f"{wrong.pop().__name__} where continuous={continuous}"
    return True, "float and int"


@exam(
    "repeatable",
    "The same clock gives the same times.",
    "A grid is a function of its arguments and the clock; keep nothing in self.",
)
def repeats(case: Case) -> Verdict:
    again = [case.grid.times(clock, kind) for clock, kind, _ in case.found]
    changed = sum(a != b for a, (_, _, b) in zip(again, case.found, strict=True))
    return not changed, f"{changed} of {len(again)} changed"


EXAMS: tuple[Exam, ...] = (count, falls, kinds, repeats)
