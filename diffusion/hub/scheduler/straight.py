r"""The times that Diffusers' schedulers of straight paths visit, by sigma = u in [0, 1].

    sigma_i = high + i/(n + spare - 1)·(low - high)            i = 0..n-1
    sigma   -> s·sigma/(1 + (s - 1)·sigma)                     the shift, Esser et al. 2024, eq. 23
    sigma   -> 1 - (1 - sigma)·(1 - terminal)/(1 - sigma_n)    if the last one is to be `terminal`

and 0 after them. `time_shift_type` "exponential" is the shift s = e^mu, and "linear" s = mu.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...base import Grid
from ...errors import InputError, choose, require
from ...noise import Clock
from .grid import ended
from .law import LAWS, levels


class Straight(Grid):
    """Even steps of a straight path, shifted to where a picture of many pixels is decided.

    Args:
        shift: s above. high, low, spare: where even steps begin, end, and how many are left out.
        terminal: what the last sigma before the data is stretched to.
        law: how sigma falls from the first to the last of these, in place of them.
        most: the largest sigma, for solvers that need some signal.
        data: whether a last step goes to the data.
    """

    shift: float = 1.0
    high: float = 1.0
    low: float = 1e-3
    spare: int = 0
    terminal: float | None = None
    law: str | None = None
    most: float = 1.0
    data: bool = True

    def __post_init__(self) -> None:
        require(0 < self.shift < math.inf, "Straight.shift", "a positive number", self.shift)
        ends = 0 <= self.low < self.high <= 1
        require(ends, "Straight.low, Straight.high", "0 <= low < high <= 1", (self.low, self.high))
        known = self.terminal is None or 0 < self.terminal < 1
        require(known, "Straight.terminal", "a number in (0, 1)", self.terminal)
        if self.law is not None:
            choose("Straight.law", self.law, LAWS)

    def times(self, clock: Clock, continuous: bool) -> list[Any]:
        found = self.sigmas()
        ratios = [sigma / (1 - sigma) if sigma < 1 else math.inf for sigma in found]
        return ended(clock, ratios, 0.0 if self.data else ratios[-1], continuous, repr(self))

    def sigmas(self) -> Sequence[float]:
        """sigma before each step."""
        even = np.linspace(self.high, self.low, self.steps + self.spare)[: self.steps]
        found = self.shift * even / (1 + (self.shift - 1) * even)
        if self.terminal is not None:
            left = 1 - found[-1]
            if left <= 0:
                raise InputError(f"{self!r}: one step has no last sigma to stretch; use more.")
            found = 1 - (1 - found) * (1 - self.terminal) / left
        sigmas: list[float] = found.tolist()
        if self.law is not None:
            sigmas = levels(self.law, self.steps, sigmas[0], sigmas[-1])
        return [min(sigma, self.most) for sigma in sigmas]
