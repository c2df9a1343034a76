"""How a noise treats what it is handed: batches, types, devices, arguments, copies of itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..base import Bridge
from ..component import arguments
from ..distribution.draw import draw
from ..noise.stepwise import Stepwise
from ..schedule import Cosine
from .exam import Exam, Verdict, copied, exam, gap, one, skip, within
from .process import ERRORS, STEPS, Process, bound, differ, errors_apart, redraw


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


EXAMS: tuple[Exam, ...] = (alone, dtype, device, kept, independent, fewer)
