r"""The probability-flow ODE in one dimension is the quantile map.

The flow carries p(z at one noise level) to p(z at another) and can't reorder points on a line, so
it is the increasing map between the two laws, z -> F_end⁻¹(F_start(z)). F is a mixture of normal
distribution functions, inverted by bisection on log F (left of the median) or log(1 - F) (right of
it), which keeps the digits of both tails.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Line(NamedTuple):
    """A mixture of normals on the line: log weights, means and standard deviations, `[K]`."""

    logw: Tensor
    mean: Tensor
    std: Tensor

    def tail(self, z: Tensor, side: Tensor) -> Tensor:
        """log F(z) where `side` = 1, log(1 - F(z)) where it is -1; `[b] -> [b]`."""
        mean, std = self.mean.to(z.device), self.std.to(z.device)
        standard = (z.unsqueeze(1) - mean) / std.clamp_min(1e-300)
        logs: Tensor = torch.special.log_ndtr(side.unsqueeze(1) * standard)
        return (self.logw.to(z.device) + logs).logsumexp(1)


def transport(z: Tensor, start: Line, end: Line, rounds: int = 200) -> Tensor:
    """F_end⁻¹(F_start(z)) in float64, to the last digits: `[b] -> [b]`."""
    left = start.tail(z, torch.ones_like(z)) < start.tail(z, -torch.ones_like(z))
    side = torch.where(left, 1.0, -1.0).to(z.dtype)
    goal = start.tail(z, side)
    low, high = _bracket(z, start, end)
    for _ in range(rounds):
        middle = (low + high) / 2
        # To the left of the answer log F is too small, and log(1 - F) too large.
        below = (end.tail(middle, side) - goal) * side < 0
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        if bool(((middle == low) & (middle == high)).all()):
            break
    return (low + high) / 2


def _bracket(z: Tensor, start: Line, end: Line) -> tuple[Tensor, Tensor]:
    """An interval that holds the answer: a quantile lies among those of the components."""
    standard = (z.unsqueeze(1) - start.mean.to(z.device)) / start.std.to(z.device).clamp_min(1e-300)
    reach = standard.abs().amax(1).clamp_max(1e6) + 1.0
    width = reach * end.std.max()
    return end.mean.min() - width, end.mean.max() + width
