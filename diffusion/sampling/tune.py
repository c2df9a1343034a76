"""Finding the sampler and the noise levels for a number of steps.

The error is the distance of ends from the model's own fine trajectory. First every candidate runs
on every power of flow time; then the levels of the best are moved one by one, a shrinking share of
the gap to their neighbours, as long as the error falls. Half of the starts decide the search, the
other half whether what it found is kept.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .. import sampler as samplers
from ..base import Guidance, Sampler
from ..errors import require
from ..grid import Points, Uniform
from ..grid.inverse import ratio
from ..sampler.tuned import Tuned
from ..train.progress import Bar
from .compare import Reference, reference
from .grid import clock, grid

if TYPE_CHECKING:
    from ..model import Model

CANDIDATES: tuple[Sampler, ...] = (
    samplers.Adams(), samplers.Adams(order=2), samplers.Adams(cautious=1.0),
    samplers.Adams("velocity", "angle", 2), samplers.Adams("F", "angle", 2), samplers.FlowAdams(),
    samplers.UniPC(), samplers.DPMSolverPP(),
)  # fmt: skip
POWERS = (1.5, 1.0, 1.25, 1.75, 2.0, 2.5, 3.0)
SHARES = (0.3, 0.15, 0.07)


def tune(
    model: Model[Any], steps: int, y: Any, batch: int | None, guidance: Guidance | None,
    seconds: float, seed: int, progress: bool,
) -> Tuned:  # fmt: skip
    """See `Model.tune`."""
    require(steps >= 1, "tune.steps", "at least 1", steps)
    require(seconds > 0, "tune.seconds", "a positive number", seconds)
    started = time.monotonic()
    search = _Search(model, reference(model, y, batch, guidance, seed, max(100, 8 * steps)))
    with Bar(1000, progress, "tuning") as bar:

        def late(share: float) -> bool:
            spent = (time.monotonic() - started) / seconds
            bar.update(min(int(1000 * spent), 1000))
            return spent > share

        plain = levels, best = search.levels(steps, POWERS[0]), CANDIDATES[0]
        for one in CANDIDATES:
            for power in POWERS:
                if late(0.5):
                    break
                levels, best = search.better(levels, best, search.levels(steps, power), one)
        first = levels, best
        for share in SHARES:
            for i in range(1, steps):
                for side in (-1, 1):
                    if late(1.0):
                        break
                    moved = _moved(levels, i, side * share)
                    levels, best = search.better(levels, best, moved, best)
        bar.update(1000)
    levels, best = min(((levels, best), first, plain), key=lambda pair: search.kept(*pair))
    found = Tuned((best,), (tuple(levels),), (round(search.kept(levels, best), 6),))
    return found.joined(model.sampler)


class _Search:
    """Errors of levels under a sampler, each measured once."""

    def __init__(self, model: Model[Any], known: Reference) -> None:
        self.model, self.known, self.clock = model, known, clock(model)
        self.seen: dict[Any, Tensor] = {}

    def levels(self, steps: int, power: float) -> list[float]:
        """sigma/signal at every time but the last."""
        times = grid(self.model, Uniform(steps, "flow", power))
        return [ratio(self.clock, t) for t in times[:-1]]

    def better(
        self, levels: list[float], best: Sampler, other: list[float], one: Sampler
    ) -> tuple[list[float], Sampler]:
        """Whichever has the smaller error on the first half of the starts."""
        found, new = self._errors(levels, best), self._errors(other, one)
        half = (len(found) + 1) // 2
        less = new[:half].square().mean() < found[:half].square().mean()
        return (other, one) if less else (levels, best)

    def kept(self, levels: list[float], one: Sampler) -> float:
        """The error on the other half."""
        errors = self._errors(levels, one)
        return float(errors[len(errors) // 2 :].square().mean().sqrt())

    def _errors(self, levels: list[float], one: Sampler) -> Tensor:
        key = (*levels, repr(one))
        if key not in self.seen:
            times = grid(self.model, Points(len(levels), levels))
            self.seen[key] = self.known.error(self.model, one, times)
        return self.seen[key]


def _moved(levels: list[float], i: int, share: float) -> list[float]:
    """The i-th level moved by a share of the gap to its neighbour, in r/(1 + r)."""
    flow = [1.0 if level == math.inf else level / (1 + level) for level in (*levels, 0.0)]
    neighbour = flow[i - 1] if share > 0 else flow[i + 1]
    at = flow[i] + abs(share) * (neighbour - flow[i])
    return [*levels[:i], at / (1 - at), *levels[i + 1 :]]
