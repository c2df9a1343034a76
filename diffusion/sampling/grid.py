"""The times a sampling visits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..errors import InputError

if TYPE_CHECKING:
    from ..model import Model


def grid(model: Model[Any], steps: int | Sequence[Any] | None) -> list[Any]:
    """Descending host times from T to 0 for a number of network calls, or as given."""
    top = model.schedule.steps
    if steps is not None and not isinstance(steps, int):
        return _given(model, [t.item() if isinstance(t, Tensor) else t for t in steps])
    count = top if steps is None else steps
    if not isinstance(count, int) or count < 1:
        raise InputError(f"sample.steps: expected at least 1, got {count!r}.")
    if model.time.continuous:
        return [1 - i / count for i in range(count)] + [0.0]
    if count > top:
        raise InputError(f"sample.steps: {count} is more than the schedule's {top} steps.")
    return [round(top * (1 - i / count)) for i in range(count + 1)]


def _given(model: Model[Any], times: list[Any]) -> list[Any]:
    kind = float if model.time.continuous else int
    top = 1.0 if model.time.continuous else model.schedule.steps
    times = [kind(t) for t in times if kind(t) == t]
    falling = all(a > b for a, b in pairwise(times))
    if len(times) < 2 or not falling or times[0] > top or times[-1] != 0:
        raise InputError(
            f"sample.steps: times must fall strictly from at most {top} to 0, as "
            f"{'numbers in [0, 1]' if model.time.continuous else 'integers'}; got {times[:6]}..."
        )
    return times
