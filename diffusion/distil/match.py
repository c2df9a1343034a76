r"""Distribution matching: a generator whose draws, noised, are distributed like the teacher's data.

The generator x = G(z_t, t) is the model's own network. The gradient of the Kullback-Leibler
divergence between its noised draws and the noised data is the difference of their scores, which
in terms of denoisers is

    grad_x = (E_fake[x | z] - E_real[x | z]) / (mean |x - E_real[x | z]|)^p,  z = signal·x + sigma·e

(Yin et al. 2024, section 3.2, with p = 1: it evens out the times). E_real is the teacher's; E_fake
is that of a second network, trained meanwhile to denoise what the generator draws. The loss whose
gradient this is,

    L = |x - sg[x - grad_x]|²/2 + |target(sg x, e) - fake(z)|²

has no value of interest: only the second term, logged as `match.fake`, says how training goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from .. import tree
from ..base import Batch, Loss, Net
from ..distribution import Normal
from ..errors import InputError, require
from ..loss import walk
from ..loss.teacher import Taught, unfit
from .student import copied

if TYPE_CHECKING:
    from ..model import Model


class Match(Loss[Normal], Taught):
    """Distribution matching distillation. Sample with `sampler.Consistency` at the same times.

    Args:
        teacher: a trained `Model`, or a function `predict(z, y, t) -> hat` in this model's
            parametrisation.
        fake: the network that denoises draws of the generator, trained by the model's optimiser;
            None starts from a copy of the teacher's.
        every: the generator learns at every so many steps, the fake at all: it must keep up (Yin
            et al. 2024b, DMD2, section 4.2).
        power: p. In few dimensions the divisor depends on the draw and biases the gradient: take 0.
        times: where the generator starts, as shares of T; one is drawn for each sample.
    """

    teacher: Any
    fake: Net | None = None
    every: int = 5
    power: float = 1.0
    times: tuple[float, ...] = (1.0,)
    surrogate: ClassVar[bool] = True
    """Its gradient means something, its value does not."""

    def __post_init__(self) -> None:
        require(self.every >= 1, "Match.every", "at least 1", self.every)
        require(self.power >= 0, "Match.power", "at least 0", self.power)
        falling = bool(self.times) and all(0 < t <= 1 for t in self.times)
        require(falling, "Match.times", "shares of T in (0, 1]", self.times)
        teacher = self.taught()
        if self.fake is None:
            if teacher.model is None:
                raise InputError("Match.fake: a teacher that is a function has no network to copy.")
            self.fake = copied(teacher.model)

    def modules(self) -> dict[str, nn.Module]:
        """The networks that are trained, moved and checkpointed with the model."""
        return {} if self.fake is None else {"fake": self.fake}

    def fits(self, model: Model[Any], noise: Any) -> str | None:
        """Why this loss can't train `model`, or None."""
        return unfit(self, model, noise)

    def compute(self, batch: Batch[Normal]) -> Tensor:
        learns = batch.step % self.every == 0
        with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
            x = self._drawn(batch)
        fixed = x.detach()
        epsilon = torch.randn_like(fixed)
        z = walk.level(batch.noise, batch.t, x).noised(fixed, epsilon)
        hat = self._guess(batch, z)
        target = self._noise(batch).target(self._noise(batch).parameter, fixed, epsilon, batch.t)
        error = nn.functional.mse_loss(hat[0], target)
        batch.log["match.fake"] = error
        if not learns:
            return error
        goal = fixed - self._slope(batch, fixed, z, hat)
        return error + 0.5 * nn.functional.mse_loss(x, goal)

    def _drawn(self, batch: Batch[Normal]) -> Tensor:
        """What the generator makes of noise."""
        shares = torch.tensor(self.times, dtype=torch.float64)
        u = shares[torch.randint(len(shares), (len(batch.t),))].to(batch.t.device)
        t = walk.at(batch.noise, u, batch.t)
        z = walk.level(batch.noise, t, batch.x).noised(batch.x, torch.randn_like(batch.x))
        x: Tensor = batch.noise.predict(z, t, batch.predict(z, t))
        return x

    def _guess(self, batch: Batch[Normal], z: Tensor) -> Tensor:
        assert self.fake is not None
        hat: Tensor = self.fake(self._noise(batch).inputs(z, batch.t), batch.y, batch.t)
        return hat

    @torch.no_grad()
    def _slope(self, batch: Batch[Normal], x: Tensor, z: Tensor, hat: Tensor) -> Tensor:
        """grad_x, in the direction in which the draws are too dense."""
        real = self.taught().x(batch.noise, z, batch.y, batch.t)
        fake: Tensor = self._noise(batch).predict(z, batch.t, hat)
        size = tree.mean((x - real).abs()).clamp_min(1e-6) ** self.power
        return (fake - real) / tree.rows(size, x)

    def _noise(self, batch: Batch[Normal]) -> Any:
        """The process in whose terms the fake predicts: the teacher's, of whom it is a copy."""
        teacher = self.taught()
        return batch.noise if teacher.model is None else teacher.noise
