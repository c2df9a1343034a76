r"""Consistency: the same x from every state of one path to noise.

The consistency function f(z_t, t) is the data at the end of the probability-flow path through z_t.
It is constant along the path, and at t = 0 it is z/signal. With s one step before t,

    L = w·h(f(z_t, t), sg f(z_s, s)),    h(a, b) = sqrt(|a - b|² + c²) - c
    w = 1/(v_t - v_s)

| | z_s | source |
|---|---|---|
| training | signal_s·x + sigma_s·epsilon, with z_t's own x and epsilon | Song & Dhariwal 2023 |
| distillation | a step of DDIM by a teacher | Song et al. 2023, algorithm 2 |

with sg the stop of the gradient, h the pseudo-Huber loss and w of Song & Dhariwal 2023, section 3.
f is what the noise's `predict` makes of the network's output, whichever target that is; only at
t = 0 it is replaced by the data, because a network that predicts x knows no boundary.

**The limits of h.** With c far below |a - b| the loss is a distance, and its minimiser a median. In
many dimensions distances concentrate and this only evens out outliers; in a few it is biased, and
the steps add the bias up. Take `huber` large there: the loss is then |a - b|²/(2c).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import tree
from ..base import Batch
from ..distribution import Normal
from ..errors import choose, require
from . import walk
from .algebra import Sampled
from .teacher import Taught, unfit

if TYPE_CHECKING:
    from ..model import Model


class Consistency(Sampled[Normal], Taught):
    """Consistency training; with a `teacher`, consistency distillation. For Gaussian noise.

    Sample with `sampler.Consistency` in one or a few steps.

    Args:
        teacher: a trained `Model`, or a function `predict(z, y, t) -> hat` in this model's
            parametrisation; None learns from the data alone.
        cells: steps between t = T and the data, at the start and at the end of training; they
            double at equal intervals (Song & Dhariwal 2023, section 3.4).
        length: optimiser steps until the last number of cells is reached.
        huber: c is this times the root of the dimensions of x.
        variable: v of the weight: "sigma" is sigma/signal, the paper's; "flow" is
            sigma/(signal + sigma), which weighs the noisiest states more.
    """

    teacher: Any = None
    cells: tuple[int, int] = (10, 1280)
    length: int = 10_000
    huber: float = 0.00054
    variable: str = "sigma"

    def __post_init__(self) -> None:
        first, last = self.cells
        require(1 <= first <= last, "Consistency.cells", "1 <= first <= last", self.cells)
        require(self.length >= 1, "Consistency.length", "at least 1 step", self.length)
        require(self.huber > 0, "Consistency.huber", "a positive number", self.huber)
        choose("Consistency.variable", self.variable, ("flow", "sigma"))
        if self.teacher is not None:
            self.taught()

    def fits(self, model: Model[Any], noise: Any) -> str | None:
        """Why this loss can't train `model`, or None."""
        return unfit(self, model, noise)

    def count(self, step: int) -> int:
        """The number of cells at an optimiser step: it doubles from the first to the last."""
        first, last = self.cells
        doublings = math.ceil(math.log2(last / first))
        passed = step * (doublings + 1) // self.length
        return min(first << min(passed, doublings), last)

    def each(self, batch: Batch[Normal]) -> Tensor:
        noise, t = batch.noise, batch.t
        s = walk.earlier(noise, t, self.count(batch.step))
        here, there = walk.level(noise, t, batch.z), walk.level(noise, s, batch.z)
        found: Tensor = noise.predict(batch.z, t, batch.hat)
        gap = (found - self._target(batch, s, here, there)).flatten(1)
        c = self.huber * gap.shape[1] ** 0.5
        squared = gap.square().sum(1)
        huber: Tensor = squared / ((squared + c**2).sqrt() + c)  # without cancellation
        weight: Tensor = 1 / (self._v(here) - self._v(there)).flatten()
        return huber * weight.to(huber.dtype)

    @torch.no_grad()
    def _target(self, batch: Batch[Normal], s: Tensor, here: Any, there: Any) -> Tensor:
        if self.teacher is None:
            z = there.noised(batch.x, batch.epsilon)
        else:
            x = self.taught().x(batch.noise, batch.z, batch.y, batch.t)
            z = walk.ddim(x, batch.z, here, there)
        learned: Tensor = batch.noise.predict(z, s, batch.predict(z, s))
        return torch.where(tree.rows(s > 0, z), learned, z)

    def _v(self, at: walk.Level) -> Any:
        return at.sigma / (at.signal + at.sigma if self.variable == "flow" else at.signal)
