"""Optimisers: a torch optimiser of the parameters given, with a rate for every step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from .exam import Exam, Verdict, exam
from .report import Result
from .setting import Setting


def examine(optimizer: Any, setting: Setting) -> Iterator[Result]:
    """The results for an optimiser."""
    for one in EXAMS:
        yield one.run(optimizer, setting.seed)


@exam(
    "descends",
    "It is a function from parameters to a torch optimiser, whose steps lower a loss.",
    "Return torch.optim.SomeOptimizer(parameters, ...); check the rate.",
)
def descends(optimizer: Any) -> Verdict:
    value = torch.nn.Parameter(torch.ones(3))
    made = optimizer([value])
    if not isinstance(made, torch.optim.Optimizer):
        return False, f"made a {type(made).__name__}"
    before = float(value.detach().square().sum())
    for _ in range(3):
        made.zero_grad()
        value.square().sum().backward()  # type: ignore[no-untyped-call]
        made.step()
    after = float(value.detach().square().sum())
    return after < before, f"a square falls from {before:.3g} to {after:.3g}"


@exam(
    "rate",
    "factor(step) is finite and not negative for every step.",
    "Clamp the part of the way that is done to [0, 1].",
)
def rate(optimizer: Any) -> Verdict:
    if not hasattr(optimizer, "factor"):
        return True, "constant"
    factors = [float(optimizer.factor(step)) for step in (0, 1, 10, 1000, 10**6)]
    return all(0 <= f < torch.inf for f in factors), f"[{min(factors):.3g}, {max(factors):.3g}]"


EXAMS: tuple[Exam, ...] = (descends, rate)
