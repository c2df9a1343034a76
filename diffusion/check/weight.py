"""Weights of the squared error: finite, not negative, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from .exam import Exam, Verdict, exam, gap, within
from .report import Result
from .setting import Setting

RATIOS = torch.logspace(-4, 4, 9, dtype=torch.float64)


def examine(weight: Any, setting: Setting) -> Iterator[Result]:
    """The results for a weight."""
    for one in EXAMS:
        yield one.run(weight, setting.seed)


@exam(
    "values",
    "weight(snr) gives one finite number, not negative, for each ratio.",
    "Divide by no ratio that can vanish; return a tensor of the ratios' shape.",
)
def values(weight: Any) -> Verdict:
    found = weight(RATIOS)
    fine = found.shape == RATIOS.shape and bool(found.isfinite().all() and (found >= 0).all())
    return fine, f"{list(found.shape)}, [{found.min():.2g}, {found.max():.2g}]"


@exam(
    "each ratio alone",
    "The weight of one ratio does not depend on the others.",
    "Normalise over no batch.",
)
def alone(weight: Any) -> Verdict:
    return within(gap(weight(RATIOS[4:5]), weight(RATIOS)[4:5]), 1e-12, "difference")


EXAMS: tuple[Exam, ...] = (values, alone)
