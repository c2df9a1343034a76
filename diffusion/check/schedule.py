"""Schedules: alpha for t = 0..T, and scales for any time, that tell of one process."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..base import Schedule
from ..component import arguments
from ..schedule.scales import survival
from .exam import Exam, Verdict, exam, gap, sit, skip, within
from .report import Result
from .setting import Setting


@dataclass
class Case:
    """A schedule, its alphas, and its scales on a grid of times."""

    schedule: Any
    alpha: Tensor

    @property
    def bar(self) -> Tensor:
        """Alpha-bar for t = 0..T, 1 at t = 0."""
        bar = self.alpha.detach().double().cpu().cumprod(0)
        return torch.cat([torch.ones(1, dtype=torch.float64), bar[1:]])

    def scales(self, points: int) -> tuple[Tensor, Tensor, Tensor]:
        """(u, signal, sigma) on (0, 1]."""
        u = torch.linspace(0, 1, points + 1, dtype=torch.float64)[1:]
        signal, sigma = self.schedule.scales(u)
        return u, signal, sigma


def examine(schedule: Any, setting: Setting) -> Iterator[Result]:
    """The results for a schedule."""

    def prepare() -> Case:
        alpha = schedule.compute()
        if not isinstance(alpha, Tensor):
            raise TypeError(f"compute() returned a {type(alpha).__name__}")
        return Case(schedule, alpha)

    needs = "A schedule defines compute() -> alpha_0..alpha_T or scales(u) -> (signal, sigma)."
    table = list(sit(prepare, TABLE, needs, setting.seed))
    yield from table
    wrong = [result.name for result in table if result.passed is False]
    if wrong and type(schedule).scales is Schedule.scales:
        for one in SCALES:  # they are derived from the table, and would only repeat what is wrong
            yield Result(one.name, None, f"derived from alphas: {wrong[0]}", one.promise, one.fix)
    elif wrong != ["can be examined"]:
        yield from sit(prepare, SCALES, needs, setting.seed)


@exam(
    "length",
    "compute() returns one alpha for each t = 0..T.",
    "The table has steps + 1 entries: torch.linspace(start, end, self.steps + 1).",
)
def length(case: Case) -> Verdict:
    shape, steps = list(case.alpha.shape), case.schedule.steps
    return shape == [steps + 1], f"shape {shape}, T = {steps}"


@exam("finite", "Every alpha is a finite number.", "Look for a division by zero at t = 0 or t = T.")
def finite(case: Case) -> Verdict:
    bad = int((~case.alpha.isfinite()).sum())
    return bad == 0, f"{bad} of {len(case.alpha)} alphas are not finite"


@exam(
    "range",
    "Each alpha_t, t >= 1, lies in (0, 1]; only the last may be 0.",
    "Return per-step alphas, not betas; clamp rounding errors.",
)
def within_range(case: Case) -> Verdict:
    alpha = case.alpha[1:].double()
    fine = bool((alpha[:-1] > 0).all() and (alpha >= 0).all() and (alpha <= 1 + 1e-9).all())
    return fine, f"alpha spans [{alpha.min():.4g}, {alpha.max():.4g}]"


@exam(
    "monotone",
    "Alpha-bar falls with t: every step adds noise.",
    "Return per-step alphas below 1, not alpha-bar and not alphas from T to 0.",
)
def monotone(case: Case) -> Verdict:
    bar = case.bar
    rises = (bar.diff() >= 0).nonzero().flatten()
    if len(rises):
        t = int(rises[0]) + 1
        return False, f"alpha-bar goes from {bar[t - 1]:.6g} to {bar[t]:.6g} at t = {t}"
    return bool(bar.isfinite().all()), f"alpha-bar falls from 1 to {bar[-1]:.2g}"


@exam(
    "scales fall",
    "signal/sigma is finite, not negative, and falls with u on (0, 1].",
    "Check the formula of scales(u) near u = 0 and u = 1; clamp what is under a root.",
)
def scales_fall(case: Case) -> Verdict:
    _, signal, sigma = case.scales(200)
    fine = bool(signal.isfinite().all() and sigma.isfinite().all())
    fine = fine and bool((signal >= 0).all() and (sigma > 0).all())
    rises = int(((signal / sigma).diff() >= 0).sum())
    return fine and rises == 0, f"signal/sigma rises {rises} times on 200 points"


@exam(
    "compute and scales agree",
    "Both tell of one process: alpha-bar_t = signal²/(signal² + sigma²) at u = t/T.",
    "Define only one of the two; the other is derived.",
)
def agreement(case: Case) -> Verdict:
    _, signal, sigma = case.scales(case.schedule.steps)
    worst = float((survival(signal, sigma) - case.bar[1:]).abs().max())
    return within(worst, 1e-5, "largest difference")


@exam(
    "precision",
    "compute() gives floats, and scales(u) answers float64 times in float64.",
    "Compute in the dtype of u; write torch.linspace(..., dtype=torch.float64).",
)
def precision(case: Case) -> Verdict:
    _, signal, sigma = case.scales(4)
    kinds = {signal.dtype, sigma.dtype}
    fine = case.alpha.is_floating_point() and kinds == {torch.float64}
    return fine, f"alpha {case.alpha.dtype}, scales {', '.join(map(str, kinds))}"


@exam(
    "each time alone",
    "scales(u) at a time does not depend on the other times asked for.",
    "Use no minimum, maximum, sum or length of u.",
)
def alone(case: Case) -> Verdict:
    u, signal, sigma = case.scales(12)
    if signal.shape != u.shape or sigma.shape != u.shape:
        return False, f"for u {list(u.shape)}: {list(signal.shape)}, {list(sigma.shape)}"
    worst = 0.0
    for i in (0, 5, 11):
        worst = max(
            worst, gap(case.schedule.scales(u[i : i + 1]), (signal[i : i + 1], sigma[i : i + 1]))
        )
    return within(worst, 1e-9, "largest difference")


@exam(
    "rates",
    "scales(u) can be differentiated: its derivative agrees with its differences.",
    "Use torch functions of u only, and no rounding.",
)
def rates(case: Case) -> Verdict:
    # Away from the kinks of a schedule that is interpolated between its steps.
    steps = case.schedule.steps
    u = (torch.tensor([0.3, 0.5, 0.8]).double() * steps).floor().clamp(0, steps - 1)
    u, h = (u + 0.5) / steps, 1e-5 / steps
    pair: Any = torch.func.jvp(case.schedule.scales, (u,), (torch.ones_like(u),))
    high, low = case.schedule.scales(u + h), case.schedule.scales(u - h)
    worst = 0.0
    for slope, up, down in zip(pair[1], high, low, strict=True):
        worst = max(worst, gap(slope.expand_as(u), (up - down).expand_as(u) / (2 * h)))
    return within(worst, 1e-3, "largest difference")


@exam(
    "determined",
    "compute() gives the same table every time.",
    "Draw no random numbers and keep no state in a schedule.",
)
def determined(case: Case) -> Verdict:
    return within(gap(case.schedule.compute(), case.alpha), 0.0, "largest difference")


@exam(
    "steps",
    "A copy with another number of steps has a table of that length.",
    "Use self.steps inside compute(), not a number fixed before.",
)
def steps(case: Case) -> Verdict:
    own = arguments(case.schedule)
    if "steps" not in own or any(isinstance(value, Tensor) for value in own.values()):
        return skip("steps is no argument, or comes with a table")
    shorter = case.schedule.vary(steps=7).compute()
    return list(shorter.shape) == [8], f"steps=7 gives shape {list(shorter.shape)}"


TABLE: tuple[Exam, ...] = (length, finite, within_range, monotone, determined, steps)
SCALES: tuple[Exam, ...] = (scales_fall, agreement, precision, alone, rates)
