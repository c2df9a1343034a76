r"""Grids that are uniform in some measure of noise.

    v_i = (v_0^(1/p) + (i/n)·(v_n^(1/p) - v_0^(1/p)))^p

With v = sigma/signal and p = 7 this is Karras et al. 2022, equation 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..base.grid import Grid
from ..errors import choose, require
from .inverse import at, falling, ratio

if TYPE_CHECKING:
    from ..noise.clock import Clock

VARIABLES = ("time", "log_snr", "sigma", "flow", "angle")
LOW, HIGH = 2e-3, 200.0
"""Where grids in an unbounded variable begin and end, if the schedule goes further."""


class Uniform(Grid):
    """Steps of equal size in a variable, or in a root of it.

    Args:
        variable: "time", or a function of r = sigma/signal: "log_snr" (-log r), "sigma" (r),
            "flow" (r/(1 + r)), "angle" (atan r).
        power: p above; above 1 the steps are smaller near the data. Not for "log_snr".
        low: r of the last time before 0, where the steps end; None goes to 0 itself, or to the
            smallest r that the variable can express. high: r of the first step; None is time T.
    """

    variable: str = "time"
    power: float = 1.0
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        name = type(self).__name__
        require(self.steps >= 1, f"{name}.steps", "at least 1", self.steps)
        choose(f"{name}.variable", self.variable, VARIABLES)
        require(self.power > 0, f"{name}.power", "a positive number", self.power)
        signed = self.variable == "log_snr"
        require(not signed or self.power == 1, f"{name}.power", "1 for 'log_snr'", self.power)
        for limit in ("low", "high"):
            value = getattr(self, limit)
            fits = value is None or (value > 0 and self.variable != "time")
            require(fits, f"{name}.{limit}", "a sigma/signal > 0, for a variable of it", value)
        if self.low is not None and self.high is not None:
            require(self.low < self.high, f"{name}.low", f"less than high={self.high}", self.low)

    def times(self, clock: Clock, continuous: bool) -> list[Any]:
        if self.variable == "time":
            top = 1.0 if continuous else clock.steps
            even = [top * (1 - i / self.steps) ** self.power for i in range(self.steps + 1)]
            found = even if continuous else [round(t) for t in even]
            return falling(found, self.steps, repr(self))
        high, low = self._limits(clock, continuous)
        count = self.steps - (low > 0)  # from a low above 0 one more step goes to the data
        of, back = _SCALES[self.variable]
        first, last = (of(r) ** (1 / self.power) if r else 0.0 for r in (high, low))
        even = [first + (last - first) * i / max(count, 1) for i in range(count)] + [last]
        even = even if count else [first]
        found = at(clock, [back(v**self.power) for v in even], continuous)
        if self.high is None:
            found[0] = 1.0 if continuous else clock.steps
        zero = 0.0 if continuous else 0
        return falling([*found[: self.steps], zero], self.steps, repr(self))

    def _limits(self, clock: Clock, continuous: bool) -> tuple[float, float]:
        """sigma/signal at the first step and at the last one before the data (or 0)."""
        high = ratio(clock, 1.0 if continuous else clock.steps) if self.high is None else self.high
        if self.variable not in ("flow", "angle"):
            high = min(high, HIGH)
        if self.low is not None:
            return high, min(self.low, high)
        if self.variable != "log_snr":
            return high, 0.0
        return high, min(max(ratio(clock, 0.1 / clock.steps if continuous else 1), LOW), high)


class Karras(Uniform):
    """Karras et al. 2022, equation 5: even in the rho-th root of sigma/signal, then 0."""

    variable: str = "sigma"
    power: float = 7.0
    low: float | None = 0.004


_SCALES: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "log_snr": (lambda r: -math.log(r), lambda v: math.exp(-v)),
    "sigma": (lambda r: r, lambda v: v),
    "flow": (lambda r: r / (1 + r) if r < math.inf else 1.0, lambda v: v / (1 - v) if v < 1 else
             math.inf),
    "angle": (lambda r: math.atan(r), lambda v: math.tan(v) if v < math.pi / 2 else math.inf),
}  # fmt: skip
