r"""Progressive distillation: one step of the student is two of the teacher.

From z_t the teacher takes two steps of DDIM, to the middle and on to s, one of N equal steps of
time below t. The student's target is the x with which a single step lands there,

    x = (sigma_t·z_s - sigma_s·z_t) / (sigma_t·signal_s - sigma_s·signal_t),

and the loss max(SNR, 1)·|x - x̂|² (Salimans & Ho 2022, algorithm 2 and section 4). Halve N, let the
student teach, and repeat: 8, 4, 2, 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import tree
from ..base import Batch
from ..distribution import Normal
from ..errors import require
from ..loss import walk
from ..loss.algebra import Sampled
from ..loss.teacher import Taught, unfit

if TYPE_CHECKING:
    from ..model import Model


class Progressive(Sampled[Normal], Taught):
    """Learn to do in `steps` steps of `sampler.DDIM` what the teacher does in twice as many.

    The times that the model draws are rounded up to those the student will be sampled at.

    Args:
        teacher: a trained `Model`, the student of the round before included, or a function
            `predict(z, y, t) -> hat` in this model's parametrisation.
        steps: N, of the student.
    """

    teacher: Any
    steps: int

    def __post_init__(self) -> None:
        require(self.steps >= 1, "Progressive.steps", "at least 1", self.steps)
        self.taught()

    def fits(self, model: Model[Any], noise: Any) -> str | None:
        """Why this loss can't train `model`, or None."""
        if not model.time.continuous and model.schedule.steps < 2 * self.steps:
            return (
                f"Progressive(steps={self.steps}) takes {2 * self.steps} steps of the teacher; "
                f"{model.schedule!r} has {model.schedule.steps}."
            )
        return unfit(self, model, noise)

    def each(self, batch: Batch[Normal]) -> Tensor:
        noise, total = batch.noise, 1 if batch.t.is_floating_point() else batch.noise.clock.steps
        cell = (batch.t.double() * self.steps / total - 1e-6).ceil().clamp_min(1)
        t, m, s = (walk.at(noise, (cell - k) / self.steps, batch.t) for k in (0, 0.5, 1))
        here = walk.level(noise, t, batch.x)
        z = here.noised(batch.x, batch.epsilon)
        target = self._target(batch, z, (t, m, s))
        x = noise.predict(z, t, batch.predict(z, t))
        weight = (here.signal / here.sigma).square().clamp_min(1).flatten()
        return tree.mean((x - target).square()) * weight.to(x.dtype)

    @torch.no_grad()
    def _target(self, batch: Batch[Normal], z: Tensor, times: tuple[Tensor, ...]) -> Tensor:
        """The x that makes up for two steps of the teacher."""
        teacher = self.taught()
        here, half, there = (walk.level(batch.noise, t, z) for t in times)
        middle = walk.ddim(teacher.x(batch.noise, z, batch.y, times[0]), z, here, half)
        x = teacher.x(batch.noise, middle, batch.y, times[1])
        return walk.landing(z, walk.ddim(x, middle, half, there), here, there)
