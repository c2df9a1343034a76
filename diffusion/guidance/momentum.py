"""A running difference along a sampling: d + weight·(the one before).

The one before is that of the next higher time. Times fall while one samples, so for one network
call a step it is the step before; where a solver calls the network twice at one time, at the end of
a step and the start of the next, or for several stages, all follow the same one; and where churn
raises the time again, the one before is that of the step before. A stage in the middle of a step is
a time of its own, as that step in two halves would have. A time above the last two starts anew, as
does another batch size.
"""

import math
from typing import Any

import torch
from torch import Tensor

from .. import tree


class Momentum:
    """The memory of one sampling. Times are host numbers, or each sample's own, `[b]`."""

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self.last: tuple[Any, Tensor | None] = (-math.inf, None)
        self.above: tuple[Any, Tensor | None] = (-math.inf, None)

    def __call__(self, t: Any, difference: Tensor) -> Tensor:
        """The running difference at `t`."""
        (low, newest), (high, older) = self.last, self.above
        if newest is None or older is None or newest.shape != difference.shape:
            low, high, newest, older = -math.inf, -math.inf, *[torch.zeros_like(difference)] * 2
        falls, between = t < low, t < high
        above = _pick(falls, low, _pick(between, high, -math.inf))
        before = _pick(falls, newest, _pick(between, older, torch.zeros_like(difference)))
        found: Tensor = difference + self.weight * before
        self.last, self.above = (t, found), (above, before)
        return found


def _pick(chosen: Any, one: Any, other: Any) -> Any:
    """`one` where chosen, for all samples or for each."""
    if not isinstance(chosen, Tensor):
        return one if chosen else other
    rows = tree.rows(chosen, one) if isinstance(one, Tensor) and one.dim() > 1 else chosen
    return torch.where(rows, one, other)
