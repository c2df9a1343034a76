"""Grids given by their noise levels, such as those that were optimised for one model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from ..base.grid import Grid
from ..errors import choose, require
from .inverse import at, falling

if TYPE_CHECKING:
    from ..noise.clock import Clock

ALIGN = {
    "sd": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
    "sdxl": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
    "svd": (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002),
}
"""sigma/signal of Align Your Steps (Sabour et al. 2024), ten steps for three models."""

MOST = 1e4
"""Where interpolation starts for a first level that is infinite: pure noise."""


class Points(Grid):
    """Noise levels, interpolated log-linearly where another number of steps is asked for.

    Args:
        ratios: sigma/signal at each time, strictly falling and positive; the first may be infinite.
            The step to the data itself is the last one: `len(ratios)` of them are as many steps.
    """

    ratios: Sequence[float]

    def __post_init__(self) -> None:
        require(self.steps >= 1, "Points.steps", "at least 1", self.steps)
        self.ratios = tuple(float(r) for r in self.ratios)
        below = (*self.ratios[1:], 0.0)
        fits = len(self.ratios) >= 1 and all(a > b for a, b in zip(self.ratios, below, strict=True))
        require(fits, "Points.ratios", "positive numbers that fall strictly", self.ratios)

    @classmethod
    def align(cls, model: str, steps: int = 10) -> Self:
        """Align Your Steps for "sd" (1.5), "sdxl" or "svd". Sabour et al. 2024.

        The last published level is small enough to be data: a step ends there, not after it.
        """
        choose("Points.align", model, ALIGN)
        return cls(steps, resampled(ALIGN[model], steps + 1)[:-1])

    def times(self, clock: Clock, continuous: bool) -> list[Any]:
        levels = resampled(self.ratios, self.steps)
        zero = 0.0 if continuous else 0
        return falling([*at(clock, levels, continuous), zero], self.steps, repr(self))


def resampled(levels: Sequence[float], count: int) -> list[float]:
    """`count` levels at even ranks between the first and the last, log-linearly."""
    logs, last = [math.log(min(level, MOST)) for level in levels], len(levels) - 1
    if len(levels) == count:
        return list(levels)
    found = [levels[0]]
    for i in range(1, count):
        rank = last * i / max(count - 1, 1)
        below = min(int(rank), max(last - 1, 0))
        above = min(below + 1, last)
        found.append(math.exp(logs[below] + (rank - below) * (logs[above] - logs[below])))
    return found
