"""What a `Bridge` promises beyond a noise: any s < t, any kind of time, and composition."""

from __future__ import annotations

import torch

from .exam import Exam, Verdict, exam, skip, within
from .process import ERRORS, Process, differ, errors_apart, redraw


@exam(
    "posterior is the bridge to t - 1",
    "posterior(x, z, t) and bridge(x, z, t, t - 1) are one law.",
    "Leave posterior to the base class, or make it call bridge.",
)
def neighbour(case: Process) -> Verdict:
    worst = 0.0
    for t in case.middle:
        rows = case.times(t)
        z = redraw(case.hard.prior(case.x, rows))
        q = case.hard.bridge(case.x, z, rows, rows - 1)
        worst = max(worst, differ(case.hard.posterior(case.x, z, rows), q))
    return within(worst, 1e-6, "largest difference")


@exam(
    "bridge fits prior",
    "q(x_s | x_t, x_0), averaged over q(x_t | x_0), is q(x_s | x_0) for any s < t.",
    "Use the scales at t and at s; the step need not be one of the schedule's.",
)
def fits(case: Process) -> Verdict:
    worst = 0.0
    for t, s in ((case.top, case.top // 3), (2 * case.top // 3, 1)):
        if not 0 < s < t:
            continue
        x = case.many(t % 3)
        z = redraw(case.hard.prior(x, case.times(t, x)), 1)
        there = redraw(case.hard.bridge(x, z, case.times(t, x), case.times(s, x)), 2)
        worst = max(worst, errors_apart(there, redraw(case.hard.prior(x, case.times(s, x)), 3)))
    return within(worst, ERRORS, "moments apart by standard errors")


@exam(
    "bridges compose",
    "From t to r and from r to s is from t to s.",
    "The bridge is the law of a Markov process given both ends; check its variance.",
)
def compose(case: Process) -> Verdict:
    if 0 < getattr(case.noise, "eta", 1.0) < 1:
        return skip("0 < eta < 1 is not a Markov process")
    t, r, s = case.top, 2 * case.top // 3, case.top // 3
    if not 0 < s < r < t:
        return skip("needs 3 steps or more")
    x = case.many(2)
    z = redraw(case.hard.prior(x[:1], case.times(t, x[:1]))).expand_as(x).contiguous()
    rows = {v: case.times(v, x) for v in (t, r, s)}
    half = redraw(case.hard.bridge(x, z, rows[t], rows[r]), 1)
    twice = redraw(case.hard.bridge(x, half, rows[r], rows[s]), 2)
    direct = redraw(case.hard.bridge(x, z, rows[t], rows[s]), 3)
    return within(errors_apart(twice, direct), ERRORS, "moments apart by standard errors")


@exam(
    "every kind of time",
    "An int, integers [b], a float u = t/T and floats [b] name the same time.",
    "Ask the bound schedule for scales with whatever came: diffusion.noise.clock.Clock does.",
)
def kinds(case: Process) -> Verdict:
    t = max(1, case.top // 2)
    u = t / case.top
    forms = (t, u, torch.full((len(case.x),), u, dtype=torch.float64))
    first = case.hard.prior(case.x, case.times(t))
    worst = max(differ(case.hard.prior(case.x, form), first) for form in forms)
    return within(worst, 1e-3, "largest difference")


@exam(
    "the original stays unbound",
    "bind returns a copy and leaves the noise as it was.",
    "Start bind with `other = self.vary()`, and write into `other`.",
)
def unbound(case: Process) -> Verdict:
    before = set(vars(case.noise))
    other = case.noise.bind(case.schedule, False, case.x)
    fine = other is not case.noise and set(vars(case.noise)) == before
    return fine, "a copy" if fine else "bind changed the noise itself"


EXAMS: tuple[Exam, ...] = (neighbour, fits, compose, kinds, unbound)
