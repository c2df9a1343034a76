"""Guidance: a function from predictions to predictions that leaves everything else alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..base import Guidance
from ..batch import Batch
from ..component import fields
from ..errors import MismatchError
from ..noise.categorical import Redraw
from ..noise.gaussian import Gaussian
from ..noise.split import Split
from .exam import Exam, Verdict, copied, exam, gap, one, sit, skip, within
from .report import Result
from .setting import Setting
from .world import World, worlds

NEEDS = "guidance(predict, noise) returns a function (z, y, t) -> hat."


@dataclass
class Case:
    """A guidance, a world, and a prediction that depends on everything it is given."""

    guidance: Any
    world: World
    z: Tensor
    y: Tensor

    def predict(self, z: Tensor, y: Any, t: Any) -> Tensor:
        u = (t.double() if isinstance(t, Tensor) else torch.tensor([float(t)])) / self.world.top
        label = y.double() if isinstance(y, Tensor) else torch.zeros(len(z))
        shift = (0.3 * label + u).to(torch.get_default_dtype())
        if isinstance(self.world.noise, Redraw) and not z.is_floating_point():
            k = self.world.noise.classes
            ids = torch.arange(k).reshape(*(1,) * z.dim(), k)
            return (shift.reshape(-1, *(1,) * z.dim()) * ids).sin().expand(*z.shape, k)[None]
        return (z * shift.reshape(-1, *(1,) * (z.dim() - 1)).to(z.dtype)).cos()[None]

    def guided(self, guidance: Any = None) -> Any:
        chosen = self.guidance if guidance is None else guidance
        return chosen(self.predict, self.world.hard)

    def run(self, t: Any = 5, guidance: Any = None) -> Tensor:
        """The guided prediction for the whole batch."""
        return _halves(self.guided(guidance)(self.z, self.y, t))


def _halves(hat: Tensor | Split) -> Tensor:
    """A prediction as one tensor: what x is read from, then what epsilon is, if that differs."""
    both = torch.cat([hat.x, hat.epsilon]) if isinstance(hat, Split) else hat
    return both.detach()


def examine(guidance: Any, setting: Setting) -> Iterator[Result]:
    """The results for a guidance."""

    def prepare() -> Case:
        errors = []
        for world in worlds(guidance, setting):
            if guidance.fits(world.noise) is not None:
                continue
            z = world.hard.prior(world.x, torch.full((len(world.x),), 5)).sample()[0]
            case = Case(guidance, world, z, 1 + torch.arange(len(z)) % 3)
            try:
                case.run()
            except Exception as error:  # made for another noise, or a fault: then this is told
                errors.append(error)
            else:
                return case
        raise errors[0] if errors else MismatchError(guidance.fits(setting.noise or Gaussian()))

    yield from sit(prepare, EXAMS, NEEDS, setting.seed)


@exam(
    "output",
    "The guided prediction has the shape and dtype of the plain one, and is finite.",
    "Split what was predicted for a doubled batch before combining it.",
)
def output(case: Case) -> Verdict:
    plain, guided = case.predict(case.z, case.y, 5), case.run()
    if len(guided) == 2 * len(plain):  # x and epsilon apart
        plain = torch.cat([plain, plain])
    fine = plain.shape == guided.shape and plain.dtype == guided.dtype
    return fine and bool(guided.isfinite().all()), f"{list(plain.shape)} -> {list(guided.shape)}"


@exam(
    "strength 0",
    "With strength 0 the prediction is the plain one.",
    "hat + strength·(hat - null): the weights add up to one.",
)
def zero(case: Case) -> Verdict:
    if "strength" not in fields(case.guidance):
        return skip("no argument called strength")
    off = case.guidance.vary(strength=0.0)
    return within(gap(case.run(guidance=off), case.predict(case.z, case.y, 5)), 1e-5, "difference")


@exam(
    "every kind of time",
    "t may be a host number or a tensor [b]; both give the same.",
    "Hand t on as it is; where the batch is doubled, double t only if it is a tensor.",
)
def times(case: Case) -> Verdict:
    rows = torch.full((len(case.z),), 5)
    return within(gap(case.run(rows), case.run(5)), 1e-6, "difference")


@exam(
    "each sample alone",
    "A sample's guided prediction does not depend on the rest of the batch.",
    "Average, normalise and rescale over no batch axis.",
)
def alone(case: Case) -> Verdict:
    whole, worst = case.run(), 0.0
    for i in (0, len(case.z) - 1):
        single = _halves(case.guided()(one(case.z, i), one(case.y, i), 5))
        worst = max(worst, gap(single, whole[:, i : i + 1]))
    return within(worst, 1e-5, "largest difference")


@exam(
    "runs do not interfere",
    "Two samplings that take turns give what each gives alone.",
    "Keep history in a local variable of __call__, never in self.",
)
def interleaved(case: Case) -> Verdict:
    first, second = case.guided(), case.guided()
    alone = [_halves(first(case.z, case.y, t)) for t in (9, 5)]
    third, worst = case.guided(), 0.0
    for t, expected in zip((9, 5), alone, strict=True):
        worst = max(worst, gap(_halves(third(case.z, case.y, t)), expected))
        second(case.z.flip(0), case.y, t)
    return within(worst, 0.0, "difference")


@exam(
    "another batch",
    "The guided function may go on to a batch of another size, and then starts anew.",
    "Forget what is remembered where its shape is not that of the new prediction.",
)
def another(case: Case) -> Verdict:
    going = case.guided()
    going(case.z, case.y, 9)
    z, y = one(case.z, 0), one(case.y, 0)
    found, expected = (_halves(guided(z, y, 5)) for guided in (going, case.guided()))
    return within(gap(found, expected), 1e-6, "difference from a fresh one")


@exam(
    "inputs kept",
    "Neither z nor y is changed.",
    "Use no in-place operations on them; make null conditions with torch.zeros_like(y).",
)
def kept(case: Case) -> Verdict:
    given = {"z": case.z, "y": case.y}
    before = copied(given)
    case.run()
    changed = [name for name in given if gap(given[name], before[name]) > 0]
    case.z, case.y = before["z"], before["y"]
    return not changed, f"changes {', '.join(changed)}" if changed else "z, y unchanged"


@exam(
    "labels kept",
    "corrupt replaces batch.y and leaves the tensor it held, which is the data set's, as it was.",
    "batch.y = torch.where(lost, 0, batch.y), not batch.y[lost] = 0.",
)
def labels(case: Case) -> Verdict:
    batch, y = _batch(case)
    before = y.clone()
    case.guidance.corrupt(batch)
    lost = int((y != before).sum())
    return lost == 0, f"{lost} of {len(y)} labels of the data set changed"


@exam(
    "corrupt",
    "corrupt keeps the shape and type of y; dropout is the share of labels it drops.",
    "Draw for each sample alone: torch.rand(len(batch.y)) < self.dropout.",
)
def corrupt(case: Case) -> Verdict:
    batch, y = _batch(case)
    case.guidance.corrupt(batch)
    if batch.y.shape != y.shape or batch.y.dtype != y.dtype:
        return False, f"{y.dtype} {list(y.shape)} -> {batch.y.dtype} {list(batch.y.shape)}"
    share, goal = float((batch.y == 0).double().mean()), getattr(case.guidance, "dropout", None)
    if not isinstance(goal, float):
        return True, f"drops {share:.1%}"
    error = (goal * (1 - goal) / len(y)) ** 0.5 + 1 / len(y)
    return abs(share - goal) < 6 * error, f"drops {share:.1%}, dropout = {goal:.1%}"


def _batch(case: Case) -> tuple[Batch[Any], Tensor]:
    """A large batch that holds the data set's own labels."""
    y = 1 + torch.arange(4000) % 3
    x = case.world.x[:1].expand(4000, *case.world.x.shape[1:])
    return Batch(case.world.soft, case.world.data, None, w=x, x=x, y=y), y


@exam(
    "composes",
    "guidance | guidance is a guidance.",
    "Define no __or__ yourself; the base class has it.",
)
def composes(case: Case) -> Verdict:
    both = case.guidance | case.guidance
    return isinstance(both, Guidance) and case.run(guidance=both).shape == case.run().shape, repr(
        both
    )[:60]


EXAMS: tuple[Exam, ...] = (
    output, zero, times, alone, interleaved, another, kept, labels, corrupt, composes,
)  # fmt: skip
