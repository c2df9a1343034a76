"""Times from noise levels: the inverse of a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import InputError

if TYPE_CHECKING:
    from ..noise.clock import Clock

HALVINGS = 60
TINY = 1e-12


def ratio(clock: Clock, t: Any) -> float:
    """r = sigma/signal at a host time; infinite where there is no signal."""
    signal, sigma = clock(t)
    return float(sigma / signal) if signal else float("inf")


def at(clock: Clock, ratios: Sequence[float], continuous: bool) -> list[Any]:
    """The times at which sigma/signal has these values, by bisection, or the nearest steps."""
    goal = torch.tensor(ratios, dtype=torch.float64)
    goal = torch.where(goal.isinf(), 1.0, goal / (1 + goal))
    if not continuous:
        table = _flow(clock(torch.arange(clock.steps + 1)))
        found = torch.searchsorted(table, goal).clamp(1, clock.steps)
        below = goal - table[found - 1] < table[found] - goal
        steps: list[int] = (found - below.long()).tolist()
        return steps
    low, high = torch.zeros_like(goal), torch.ones_like(goal)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        small = _flow(clock(middle)) < goal
        low, high = torch.where(small, middle, low), torch.where(small, high, middle)
    # The ends themselves are times, not merely what bisection comes near to.
    ends = _flow(clock(torch.tensor([0.0, 1.0], dtype=torch.float64)))
    none = (goal <= ends[0]) | (high < TINY)  # less than the schedule's least noise
    high = torch.where(none, 0.0, torch.where(goal >= ends[1], 1.0, high))
    times: list[float] = high.tolist()
    return times


def falling(times: Sequence[Any], steps: int, what: str) -> list[Any]:
    """The times, made strictly falling to 0.

    Steps that round to one make room upwards; times below all noise of the schedule, which are 0,
    part what is left evenly.
    """
    found = list(times)
    if isinstance(found[0], int):
        for i in range(1, steps + 1):
            found[i] = min(found[i], found[i - 1] - 1)
        for i in range(steps, -1, -1):
            found[i] = max(found[i], steps - i)
        found[-1] = 0
    else:
        above = sum(t > 0 for t in found)
        last = found[above - 1] if above else 0.0
        found[above:] = [last * (1 - i / (steps + 1 - above)) for i in range(1, steps + 2 - above)]
    if any(a <= b for a, b in pairwise(found)):
        raise InputError(
            f"{what}: {steps} steps do not fall strictly: {found[:8]}. Use fewer steps, or other "
            "limits."
        )
    return found


def _flow(scales: tuple[Any, Any]) -> Tensor:
    """r/(1 + r), which is bounded."""
    signal, sigma = scales
    ends: Tensor = torch.as_tensor(sigma / (signal + sigma), dtype=torch.float64)
    return ends
