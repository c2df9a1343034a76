"""The times a sampling visits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from torch import Tensor

from ..base import Bridge, Grid, Sampler
from ..errors import InputError
from ..noise.clock import Clock

if TYPE_CHECKING:
    from ..model import Model

Steps: TypeAlias = int | Sequence[Any] | Tensor | np.ndarray[Any, Any] | Grid | None


def grid(model: Model[Any], steps: Steps, sampler: Sampler | None = None) -> list[Any]:
    """Descending host times from T to 0: for a number of steps, of a grid, or as given."""
    top, continuous = model.schedule.steps, model.time.continuous
    if isinstance(steps, (Tensor, np.ndarray)):
        steps = steps.tolist()
    if isinstance(steps, Sequence) and not isinstance(steps, str):
        return _given(model, [t.item() if hasattr(t, "item") else t for t in steps])
    count = steps.steps if isinstance(steps, Grid) else top if steps is None else steps
    if not isinstance(count, int) or count < 1:
        wanted = "a number of at least 1, descending times, or a grid such as grid.Karras(20)"
        raise InputError(f"sample.steps: expected {wanted}; got {count!r}.")
    if count > top and not continuous:
        raise InputError(f"sample.steps: {count} is more than the schedule's {top} steps.")
    chosen = steps if isinstance(steps, Grid) else None
    if chosen is None and sampler is not None and isinstance(steps, int):
        chosen = sampler.grid(count)
    if chosen is not None:
        return chosen.times(clock(model), continuous)
    if continuous:
        return [1 - i / count for i in range(count)] + [0.0]
    return [round(top * (1 - i / count)) for i in range(count + 1)]


def clock(model: Model[Any]) -> Clock:
    """The scales of the model's process by time."""
    bound = model.bind() if isinstance(model.noise, Bridge) else None
    return getattr(bound, "clock", None) or Clock(model.schedule)


def _given(model: Model[Any], times: list[Any]) -> list[Any]:
    kind = float if model.time.continuous else int
    top = 1.0 if model.time.continuous else model.schedule.steps
    exact = all(isinstance(t, (int, float)) and math.isfinite(t) and kind(t) == t for t in times)
    times = [kind(t) for t in times] if exact else times
    falling = exact and all(a > b for a, b in pairwise(times))
    if len(times) < 2 or not falling or times[0] > top or times[-1] != 0:
        raise InputError(
            f"sample.steps: times must fall strictly from at most {top} to 0, as "
            f"{'numbers in [0, 1]' if model.time.continuous else 'integers'}; got {times[:6]}..."
        )
    return times
