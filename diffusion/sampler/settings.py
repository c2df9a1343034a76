"""Whether the numbers that a sampler is given make sense."""

import math
from collections.abc import Sequence
from typing import Any

from ..errors import require


def whole(where: str, value: Any, low: int, high: int) -> None:
    """Raise unless `value` is a whole number from `low` to `high`, and not a bool."""
    fine = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    require(fine, where, f"a whole number from {low} to {high}", repr(value))


def within(
    where: str, value: Any, low: float, high: float = math.inf, *, inside: bool = False
) -> None:
    """Raise unless `value` is a finite number from `low` to `high`; neither of them if `inside`."""
    fine = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    fine = fine and (low < value < high if inside else low <= value <= high)
    ends = f"({low:g}, {high:g})" if inside else f"[{low:g}, {high:g}]"
    side = f">{'' if inside else '='} {low:g}" if high == math.inf else f"in {ends}"
    require(fine, where, f"a number {side}", repr(value))


def pair(value: Any) -> tuple[float, float]:
    """Two numbers; of anything else two that are not."""
    fine = isinstance(value, Sequence) and len(value) == 2
    fine = fine and all(isinstance(v, (int, float)) for v in value)
    return (value[0], value[1]) if fine else (math.nan, math.nan)
