"""Times: in range, of the declared type, and with weights that keep losses unbiased."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .exam import Exam, Verdict, exam, gap, sit, skip, within
from .report import Result
from .setting import Setting

STEPS, DRAWS = 100, 20_000


@dataclass
class Case:
    """A copy of a time, and many draws of it."""

    time: Any
    t: Tensor


def examine(time: Any, setting: Setting) -> Iterator[Result]:
    """The results for a time; of a joint one, for each part."""
    parts = getattr(time, "parts", None)
    if isinstance(parts, dict):
        for key, part in parts.items():
            yield from (result.under(key) for result in examine(part, setting))
        return
    needs = "sample(steps, size) returns times [size]."

    def prepare() -> Case:
        other = copy.deepcopy(time)
        return Case(other, other.sample(STEPS, DRAWS))

    yield from sit(prepare, EXAMS, needs, setting.seed)


@exam(
    "shape",
    "sample(steps, size) gives `size` times, also a single one.",
    "Return a tensor of shape [size].",
)
def shape(case: Case) -> Verdict:
    found = [list(case.t.shape), list(case.time.sample(STEPS, 1).shape)]
    return found == [[DRAWS], [1]], f"{found[0]} and {found[1]}"


@exam(
    "type",
    "Times are integers, or floats where the class says continuous = True.",
    "Declare `continuous: ClassVar[bool] = True`, or return a long tensor.",
)
def kind(case: Case) -> Verdict:
    fine = case.t.is_floating_point() == case.time.continuous
    fine = fine and (case.time.continuous or case.t.dtype == torch.long)
    return fine, f"{case.t.dtype}, continuous = {case.time.continuous}"


@exam(
    "range",
    "Step indices lie in 1..steps, continuous times in (0, 1]; t = 0 is data, without noise.",
    "torch.randint(1, steps + 1, (size,)): the upper end is not included.",
)
def in_range(case: Case) -> Verdict:
    low, high = float(case.t.min()), float(case.t.max())
    top = 1.0 if case.time.continuous else float(STEPS)
    fine = (low > 0 if case.time.continuous else low >= 1) and high <= top
    return fine, f"[{low:g}, {high:g}] of {'(0, 1]' if case.time.continuous else f'1..{STEPS}'}"


@exam(
    "covers",
    "The network meets many times, or it can't be sampled with.",
    "Draw `size` times, not one time for the batch.",
)
def covers(case: Case) -> Verdict:
    count = len(torch.unique(case.t))
    return count >= 10, f"{count} different times in {DRAWS}"


@exam(
    "torch's generator",
    "Draws come from torch's global generator, which seeds runs; resuming is exact only then.",
    "Draw with torch.rand and its like; keep no generator of your own.",
)
def generator(case: Case) -> Verdict:
    state = torch.get_rng_state()
    first = copy.deepcopy(case.time).sample(STEPS, 50)
    torch.set_rng_state(state)
    again = copy.deepcopy(case.time).sample(STEPS, 50)
    moved = not torch.equal(torch.get_rng_state(), state)
    return gap(first, again) == 0 and moved, f"same seed, difference {gap(first, again):.2g}"


@exam(
    "weights are unbiased",
    "The mean of weight(t) is 1, and of weight(t)·t/T what uniform times give.",
    "weight = uniform density / own density, for the density that sample() draws from.",
)
def weights(case: Case) -> Verdict:
    first = _bias(case.time, case.t)
    if first is None:
        return skip("no weights")
    _teach(case.time, case.t)
    then = _bias(case.time, case.time.sample(STEPS, DRAWS))
    worst = max(first, 0.0 if then is None else then)
    return within(worst, 5.0, "standard errors")


def _teach(time: Any, t: Tensor) -> None:
    """Show losses that fall with t, several at every time."""
    known = torch.unique(t).repeat(12)
    time.observe(known, STEPS, 1.0 + 3.0 * (1 - known.double() / STEPS).float())


def _bias(time: Any, t: Tensor) -> float | None:
    """How far weighted averages are from uniform ones, in standard errors."""
    weight = time.weight(t, STEPS)
    if weight is None:
        return None
    if weight.shape != t.shape:
        raise ValueError(f"weight has shape {list(weight.shape)} for t {list(t.shape)}")
    u = t.double() if time.continuous else t.double() / STEPS
    goal = 0.5 if time.continuous else 0.5 + 0.5 / STEPS
    worst = 0.0
    for values, mean in ((weight.double(), 1.0), (weight * u, goal)):
        error = values.std() / len(values) ** 0.5 + 1e-6
        worst = max(worst, float((values.mean() - mean).abs() / error))
    return worst


EXAMS: tuple[Exam, ...] = (shape, kind, in_range, covers, generator, weights)
