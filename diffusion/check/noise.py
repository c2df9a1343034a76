"""Noises: a prior, a posterior and an approximation that tell of one process.

Laws are compared by their moments over many draws of one state, in float64, with fixed seeds, on a
schedule of few and large steps, where a wrong index shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..base import Bridge
from ..component import arguments
from ..distribution.draw import draw
from ..folder.registry import name_of
from ..schedule import Cosine
from . import bridge, distribution
from .exam import Exam, Verdict, copied, exam, gap, one, sit, skip, within
from .process import STEPS, Process, bound, differ, errors_apart, redraw
from .report import Result
from .setting import Setting

NEEDS = (
    "A noise takes states x [b, ...] (floats, class ids or one-hots) and step indices t [b]; give "
    "an example: check(noise, x=...)."
)
ERRORS = 6.0
"""How many standard errors two samples of one law may be apart."""


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
    fine = all(b <= 1.05 * a + 0.02 for a, b in zip(told, told[1:], strict=False))
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


@exam(
    "each sample alone",
    "The laws of one sample do not depend on the others, nor on their times.",
    "Index tables by t and reshape to [b, 1, ...]; sum over no batch axis.",
)
def alone(case: Process) -> Verdict:
    t = torch.tensor([1, max(1, case.top // 2), case.top])[: len(case.x)]
    z = redraw(case.hard.prior(case.x, t))
    worst = 0.0
    for i in range(len(case.x)):
        x_i, z_i, t_i = one(case.x, i), one(z, i), one(t, i)
        whole = _row(case.hard.prior(case.x, t), i), _row(case.hard.posterior(case.x, z, t), i)
        single = case.hard.prior(x_i, t_i), case.hard.posterior(x_i, z_i, t_i)
        for a, b in zip(whole, single, strict=True):
            worst = max(worst, differ(a, b))
    return within(worst, 1e-6, "largest difference")


def _row(law: Any, index: int) -> Any:
    """The law of one sample of a batch."""
    size = max(v.shape[0] for v in arguments(law).values() if isinstance(v, Tensor) and v.dim())
    part = {
        key: v[index : index + 1] if isinstance(v, Tensor) and v.dim() and len(v) == size else v
        for key, v in arguments(law).items()
    }
    return type(law)(**part)


@exam(
    "dtype",
    "float32 states stay float32, float64 states float64.",
    "Create no tensors of a fixed dtype; cast tables to x.dtype where they are used.",
)
def dtype(case: Process) -> Verdict:
    if case.discrete:
        return skip("states are ids")
    found = []
    for kind in (torch.float32, torch.float64):
        x = case.x.to(kind)
        noise, rows = bound(case.noise, case.schedule, x), case.times(min(2, case.top))
        z = redraw(noise.prior(x, rows))
        found += [z.dtype, redraw(noise.posterior(x, z.to(kind), rows)).dtype]
    fine = found == [torch.float32] * 2 + [torch.float64] * 2
    return fine, ", ".join(str(v).removeprefix("torch.") for v in found)


@exam(
    "device",
    "prior and posterior work on whatever device x is on.",
    "Create tensors with device=x.device, and move tables with .to(x.device).",
)
def device(case: Process) -> Verdict:
    other = "cuda" if torch.cuda.is_available() else "meta"
    x = case.x.to(other)
    noise, rows = bound(case.noise, case.schedule, x), case.times(min(2, case.top)).to(other)
    try:
        law = noise.prior(x, rows)
        noise.posterior(x, law.sample()[0], rows)
    except (RuntimeError, NotImplementedError) as error:
        mixed = "same device" in str(error) or "not on the expected device" in str(error)
        return (False, str(error)[:100]) if mixed else skip(f"reads values, which {other} has not")
    return True, other


@exam(
    "inputs kept",
    "prior, posterior and approximate change none of their arguments.",
    "Use no in-place operations (names that end in _, +=) on x, z, t or hat.",
)
def kept(case: Process) -> Verdict:
    rows = case.times(min(2, case.top))
    z, epsilon = draw(case.hard.prior(case.x, rows), None)
    hat = next(iter(case.oracles(case.hard, case.x, epsilon, z, rows).values()))
    states = {"x": case.x, "z": z, "t": rows, "hat": hat}
    before = copied(states)
    case.hard.prior(case.x, rows)
    case.hard.posterior(case.x, z, rows)
    case.hard.approximate(z, rows, hat)
    return within(gap(states, before), 0.0, "largest change")


@exam(
    "copies are independent",
    "A copy bound to another schedule leaves the first as it was.",
    "Let schedule(alpha) assign new tensors to self; do not write into shared ones.",
)
def independent(case: Process) -> Verdict:
    rows = case.times(min(3, case.top))
    before = redraw(case.hard.prior(case.x, rows))
    other = bound(case.noise, Cosine(STEPS + 5, exponent=4.0), case.x)
    moved = differ(other.prior(case.x, rows), case.hard.prior(case.x, rows))
    same = gap(redraw(case.hard.prior(case.x, rows)), before)
    if case.discrete:
        moved = 1.0
    return same == 0 and moved > 0, f"the first moved by {same:.2g}, the other by {moved:.2g}"


@exam(
    "fewer steps",
    "Sampling in fewer steps is consistent: from t, the step to any s < t fits the prior at s.",
    "schedule(alpha) must work for any table of alphas, and know nothing of the number of steps.",
)
def fewer(case: Process) -> Verdict:
    if isinstance(case.noise, Bridge):
        return skip("a Bridge goes anywhere; see below")
    from ..noise.stepwise import Stepwise

    t, s = case.top, case.top // 2
    if not 0 < s < t:
        return skip("a single step")
    x = case.many(1)
    short = Stepwise(case.noise, case.schedule, False, [t, s, 0], x)
    z = redraw(short.prior(x, case.times(2, x)), 1)
    worst = errors_apart(z, redraw(case.hard.prior(x, case.times(t, x)), 2))
    middle = redraw(short.posterior(x, z, case.times(2, x)), 3)
    worst = max(worst, errors_apart(middle, redraw(case.hard.prior(x, case.times(s, x)), 4)))
    return within(worst, ERRORS, "moments apart by standard errors")


EXAMS: tuple[Exam, ...] = (
    start, close, grows, stationary, posterior, last, perfect, ends, likelihood, alone, dtype,
    device, kept, independent, fewer,
)  # fmt: skip
