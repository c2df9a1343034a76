"""Noises: a prior, a posterior and an approximation that tell of one process.

Laws are compared by their moments over many draws of one state, in float64, with fixed seeds, on a
schedule of few and large steps, where a wrong index shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch

from ..base import Bridge
from ..distribution.draw import draw
from ..folder.registry import name_of
from . import bridge, conduct, distribution
from .exam import Exam, Verdict, exam, gap, sit, skip, within
from .process import ERRORS, Process, differ, errors_apart, redraw
from .report import Result
from .setting import Setting

NEEDS = (
    "A noise takes states x [b, ...] (floats, class ids or one-hots) and step indices t [b]; give "
    "an example: check(noise, x=...)."
)


def examine(noise: Any, setting: Setting) -> Iterator[Result]:
    """The results for a noise; of a joint one, for each part."""
    parts = getattr(noise, "parts", None)
    if isinstance(parts, dict):
        for key, part in parts.items():
            yield from (result.under(key) for result in examine(part, Setting(seed=setting.seed)))
        return
    exams = (*EXAMS, *bridge.EXAMS) if isinstance(noise, Bridge) else EXAMS
    yield from sit(lambda: Process.of(noise, setting), exams, NEEDS, setting.seed)
    yield from _law(noise, setting)


def _law(noise: Any, setting: Setting) -> Iterator[Result]:
    """The results for a noise's own kind of distribution, where it is not one of the library's."""
    try:
        process = Process.of(noise, setting)
        law = process.hard.prior(process.x.float() if not process.discrete else process.x,
                                 process.times(max(1, process.top // 2)))  # fmt: skip
    except Exception:  # told already, as the failure of the exams before
        return
    if name_of(type(law)).startswith("custom."):
        yield from (r.under(type(law).__name__) for r in distribution.examine(law, setting))


@exam(
    "t = 0 is the data",
    "prior(x, 0) is x itself: nothing is left to remove at the end.",
    "With alpha-bar_0 = 1 the noise at t = 0 has scale 0; index tables by t, not t - 1.",
)
def start(case: Process) -> Verdict:
    return within(gap(redraw(case.hard.prior(case.x, case.times(0))), case.x), 1e-9, "difference")


@exam(
    "close at t = 1",
    "At t = 1 the state is closer to the data than at t = T.",
    "alpha_0..alpha_T go from clean to noisy; check that tables are not reversed.",
)
def close(case: Process) -> Verdict:
    near, far = (_distance(case, t) for t in (1, case.top))
    return near <= 0.5 * far, f"distance {near:.2g} at t = 1, {far:.2g} at t = T"


def _distance(case: Process, t: int) -> float:
    x = case.many()
    z = redraw(case.hard.prior(x, case.times(t, x)))
    if case.discrete:
        return float((z != x).double().mean())
    return float(((z - x) ** 2).mean().sqrt())


@exam(
    "noise grows",
    "Two data points are harder to tell apart at every later time.",
    "The share of signal is alpha-bar_t, the product of all alphas up to t, and falls with t.",
)
def grows(case: Process) -> Verdict:
    times = sorted({1, *case.middle})
    told = [_told(case, t) for t in times]
    fine = all(b <= 1.05 * a + 0.02 for a, b in pairwise(told))
    shown = ", ".join(f"{value:.2g} at t = {t}" for t, value in zip(times, told, strict=True))
    return fine and told[-1] < told[0], f"difference/noise {shown}"


def _told(case: Process, t: int) -> float:
    """How far the laws of x_t from two data points are apart, in units of the noise."""
    a, b = (redraw(case.hard.prior(x, case.times(t, x))) for x in (case.many(0), case.many(1)))
    if case.discrete:
        k = int(max(a.max(), b.max())) + 1
        a, b = (torch.nn.functional.one_hot(v, k).double() for v in (a, b))
        return float((a.mean(0) - b.mean(0)).abs().sum(-1).mean() / 2)
    spread = ((a.var(0) + b.var(0)) / 2).mean().sqrt()
    return float((a.mean(0) - b.mean(0)).square().mean().sqrt() / spread)


@exam(
    "stationary",
    "At t = T the state has the law sampling starts from, and its shape.",
    "prior uses √alpha-bar_t = √(alpha_1···alpha_t), not √alpha_t; stationary is the limit t = T.",
)
def stationary(case: Process) -> Verdict:
    x = case.many()
    z = redraw(case.hard.prior(x, case.times(case.top, x)), 1)
    pure = redraw(case.hard.stationary(tuple(x.shape)), 2)
    if pure.shape != z.shape:
        return False, f"stationary draws {list(pure.shape)} for {list(x.shape)}"
    return within(errors_apart(z, pure), ERRORS, "moments apart by standard errors")


@exam(
    "posterior fits prior",
    "q(x_{t-1} | x_t, x_0), averaged over q(x_t | x_0), is q(x_{t-1} | x_0).",
    "Check the indices: alpha_t, alpha-bar_t and alpha-bar_{t-1}; and variance against deviation.",
)
def posterior(case: Process) -> Verdict:
    worst, where = 0.0, 0
    for t in case.middle:
        x = case.many(t % 3)
        rows = case.times(t, x)
        z = redraw(case.hard.prior(x, rows), 1)
        s = redraw(case.hard.posterior(x, z, rows), 2)
        apart = errors_apart(s, redraw(case.hard.prior(x, rows - 1), 3))
        if not apart <= worst:
            worst, where = apart, t
    return within(worst, ERRORS, f"at t = {where} moments apart by standard errors")


@exam(
    "the last step ends at the data",
    "q(x_0 | x_1, x_0) is x_0.",
    "The posterior's variance at t = 1 is 0, as alpha-bar_0 = 1.",
)
def last(case: Process) -> Verdict:
    rows = case.times(1)
    z = redraw(case.hard.prior(case.x, rows))
    return within(gap(redraw(case.hard.posterior(case.x, z, rows)), case.x), 1e-6, "difference")


@exam(
    "a perfect network",
    "approximate(z, t, hat) is the posterior, where hat is what a perfect network answers.",
    "Check how approximate gets x from hat[0]; if hat is neither x nor epsilon, name it in an "
    "attribute `parameter`, or give check(noise, hat=lambda x, epsilon, z, t: ...).",
)
def perfect(case: Process) -> Verdict:
    found: dict[str, float] = {}
    for t in case.middle:
        for name, (p, q) in _both(case, case.hard, t).items():
            found[name] = max(found.get(name, 0.0), differ(p, q))
    name = min(found, key=lambda key: found[key] if found[key] == found[key] else torch.inf)
    return within(found[name], 1e-5 if not case.discrete else 1e-3, f"as {name}, difference")


def _both(case: Process, noise: Any, t: int) -> dict[str, tuple[Any, Any]]:
    """(approximation, posterior) for each thing a perfect network may answer."""
    x, rows = case.x.repeat(40, *(1,) * (case.x.dim() - 1)), case.times(t).repeat(40)
    z, epsilon = draw(noise.prior(x, rows), None)
    hats = case.oracles(noise, x, epsilon, z, rows)
    q = noise.posterior(x, z, rows)
    return {name: (noise.approximate(z, rows, hat), q) for name, hat in hats.items()}


@exam(
    "a perfect network ends at the data",
    "From x_1, the step with a perfect network's answer gives x_0 exactly.",
    "approximate at t = 1 adds no noise and divides by no zero.",
)
def ends(case: Process) -> Verdict:
    x, rows = case.x, case.times(1)
    z, epsilon = draw(case.hard.prior(x, rows), None)
    hats = case.oracles(case.hard, x, epsilon, z, rows)
    gaps = {n: gap(redraw(case.hard.approximate(z, rows, h)), x) for n, h in hats.items()}
    name = min(gaps, key=lambda key: gaps[key])
    return within(gaps[name], 1e-5, f"as {name}, difference")


@exam(
    "likelihood of the last step",
    "Where t = 0 is held half a step away from the data, q and p at t = 1 have a finite "
    "divergence and gradient, so that VLB losses do.",
    "Keep tables finite for alpha_0 < 1 as well as for alpha_0 = 1; guard roots and logarithms.",
)
def likelihood(case: Process) -> Verdict:
    if getattr(case.noise, "eta", 1.0) == 0:
        return skip("eta = 0: steps without noise have no density")
    rows = case.times(1)
    z, epsilon = draw(case.soft.prior(case.x, rows), None)
    name, hat = next(iter(case.oracles(case.soft, case.x, epsilon, z, rows).items()))
    # An imperfect answer: probabilities stay some.
    hat = 0.9 * hat + 0.02 if name == "p" else hat + 0.1 * torch.randn_like(hat)
    hat.requires_grad_()
    dkl = case.soft.posterior(case.x, z, rows).dkl(case.soft.approximate(z, rows, hat))
    dkl.sum().backward()
    fine = hat.grad is not None and bool(hat.grad.isfinite().all())
    return bool(dkl.isfinite().all()) and fine, f"divergence {float(dkl.detach().mean()):.3g}"


EXAMS: tuple[Exam, ...] = (
    start, close, grows, stationary, posterior, last, perfect, ends, likelihood, *conduct.EXAMS,
)  # fmt: skip
