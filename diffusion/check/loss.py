"""Losses: a finite scalar with a gradient, smallest for a perfect network."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..batch import Batch
from .exam import Exam, Verdict, copied, exam, gap, sit, skip, within
from .report import Result
from .setting import Setting
from .world import World, worlds

NEEDS = (
    "compute(batch) returns a scalar; no noise was found that it works with: give one, "
    "check(loss, noise=..., data=..., w=...)."
)
STATES = ("w", "x", "y", "t", "z", "hat")


@dataclass
class Case:
    """A loss and a world it works in."""

    loss: Any
    world: World
    continuous: bool = False

    def times(self) -> Tensor:
        """From t = 1 to t = T."""
        return torch.linspace(1, self.world.top, len(self.world.x)).round().long()

    def plain(self, t: Tensor | None = None, loss: Any = None) -> Batch[Any]:
        """A batch with a random network output."""
        times = self.times() if t is None else t
        return self.world.batch(times, loss or self.loss, self.continuous)

    def batch(self, t: Tensor | None = None) -> Batch[Any]:
        """The same, with an output that takes gradients."""
        found = self.plain(t)
        found.hat = found.hat.requires_grad_()
        return found


def examine(loss: Any, setting: Setting) -> Iterator[Result]:
    """The results for a loss; of a joint one, for each part."""
    parts = getattr(loss, "parts", None)
    if isinstance(parts, dict):
        for key, part in parts.items():
            yield from (result.under(key) for result in examine(part, Setting(seed=setting.seed)))
        return

    def prepare() -> Case:
        errors = []
        for world, continuous in itertools.product(worlds(loss, setting), (False, True)):
            case = Case(loss, world, continuous)
            try:
                loss.compute(case.batch())
            except Exception as error:  # made for another noise, or a fault: then this is told
                errors.append(error)
            else:
                return case
        raise errors[0]

    yield from sit(prepare, EXAMS, NEEDS, setting.seed)


@exam("scalar", "compute returns one number.", "Average over the batch: end with .mean().")
def scalar(case: Case) -> Verdict:
    value = case.loss.compute(case.batch())
    kind = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
    return kind == [], f"shape {kind} under {case.world!r}"


@exam(
    "finite at every time",
    "The loss and its gradient are finite from t = 1 to t = T.",
    "Divide by no scale that vanishes at t = 1 or t = T; guard roots and logarithms.",
)
def finite(case: Case) -> Verdict:
    for t in (1, max(1, case.world.top // 2), case.world.top):
        batch = case.batch(torch.full((len(case.world.x),), t))
        value = case.loss.compute(batch).sum()
        value.backward()
        grad = batch.hat.grad
        if not value.isfinite() or (grad is not None and not grad.isfinite().all()):
            return False, f"at t = {t}: loss {float(value.detach()):.3g}, or its gradient"
    return True, f"t = 1, {max(1, case.world.top // 2)}, {case.world.top}"


@exam(
    "gradient",
    "The network's output gets a gradient.",
    "Do not detach hat, and compute p through batch.p or noise.approximate.",
)
def gradient(case: Case) -> Verdict:
    batch = case.batch()
    value = case.loss.compute(batch).sum()
    if not value.requires_grad:
        return False, "the loss does not depend on hat"
    value.backward()
    size = 0.0 if batch.hat.grad is None else float(batch.hat.grad.norm())
    return size > 0, f"norm {size:.2g}"


@exam(
    "a perfect network is best",
    "The loss of a perfect network's answer is not above that of a random one.",
    "Check signs, and that target and prediction are the same parameter.",
)
def best(case: Case) -> Verdict:
    torch.manual_seed(0)
    if getattr(case.loss, "surrogate", False):
        return skip("its gradient means something, its value does not")
    batch = case.plain()
    wrong = float(case.loss.compute(batch).detach().sum())
    if not hasattr(batch.noise, "clock") or case.world.parameters > 1:
        return skip("no perfect answer is known for this noise")
    clean, sizes = case.plain(), {len(batch.z)}

    def perfect(z: Tensor, y: Any, t: Any) -> Tensor:
        sizes.add(len(z))
        return case.world.oracle(z, y, t, soft=True)

    clean.z, clean.epsilon, clean.t, clean.net = batch.z, batch.epsilon, batch.t, perfect
    clean.hat = perfect(batch.z, batch.y, batch.t)
    right = float(case.loss.compute(clean).detach().sum())
    if len(sizes) > 1:
        return skip("asks the network about some of the samples only")
    return right <= wrong, f"perfect {right:.3g}, random {wrong:.3g}"


@exam(
    "batch size",
    "A batch that holds every sample twice has the same loss.",
    "Average over the batch, do not sum: the learning rate would depend on its size.",
)
def size(case: Case) -> Verdict:
    batch, again = case.batch(), case.batch()
    for name in STATES:
        setattr(again, name, getattr(batch, name).detach())
    again.epsilon = batch.epsilon
    first = case.loss.compute(batch).detach()
    if gap(case.loss.compute(again).detach(), first) > 0:
        return skip("draws random numbers")
    twice = case.batch()
    for name in (*STATES, "epsilon"):
        value = getattr(batch, name)
        axis = 1 if name == "hat" else 0
        setattr(twice, name, None if value is None else torch.cat([value, value], axis).detach())
    second = case.loss.compute(twice).detach()
    return within(
        float((second - first).abs().sum() / (first.abs().sum() + 1e-6)), 1e-4, "changes by"
    )


@exam(
    "batch kept",
    "compute changes no state of the batch.",
    "Use no in-place operations (names that end in _, +=) on them.",
)
def kept(case: Case) -> Verdict:
    batch = case.batch()
    before = {name: copied(getattr(batch, name)) for name in STATES}
    with torch.no_grad():
        case.loss.compute(batch)
    changed = [name for name in STATES if gap(getattr(batch, name), before[name]) > 0]
    return not changed, f"changes {', '.join(changed)}" if changed else ", ".join(STATES)


@exam(
    "terms",
    "terms() names the elementary losses, for logs.",
    "Leave terms to the base class.",
)
def terms(case: Case) -> Verdict:
    names = [name for name, _ in case.loss.terms()]
    return bool(names) and all(isinstance(n, str) and n for n in names), ", ".join(names)


@exam(
    "algebra",
    "Losses scale and add: 2 * loss and loss + loss are twice the loss.",
    "Define none of the operators yourself; the base class has them.",
)
def algebra(case: Case) -> Verdict:
    values = []
    for one in (2 * case.loss, case.loss + case.loss, case.loss):
        torch.manual_seed(0)
        values.append(float(one.compute(case.plain(loss=one)).detach().sum()))
    batch = case.plain()
    again = [float(case.loss.compute(batch).detach().sum()) for _ in range(2)]
    drawn = again[0] != again[1]  # then a sum of two draws is not twice one of them
    worst = max(abs(v - 2 * values[2]) for v in values[: 1 if drawn else 2])
    return within(worst / (abs(values[2]) + 1e-6), 1e-4, "relative difference")


EXAMS: tuple[Exam, ...] = (scalar, finite, gradient, best, size, kept, terms, algebra)
