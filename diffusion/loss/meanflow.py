r"""Mean flow: the average velocity between two times, learned without a teacher.

The probability-flow path moves by v(z_t, t) = dz/dt. Its average over [s, t],

    u(z_t, t, s) = (z_t - z_s)/(t - s),

takes the path from t to s in one step. Differentiating (t - s)·u along the path gives

    u(z_t, t, s) = v(z_t, t) - (t - s)·d/dt u(z_t, t, s),    d/dt = v·∇_z + ∂_t

(Geng et al. 2025, equation 6). The loss holds the network to it, with the velocity of the sample,
signal'·x + sigma'·epsilon, for v, and no gradient through the right side:

    L = w·|u - sg[v - (t - s)·(∇_z u·v + ∂_t u)]|²,    w = sg[1/(|..|² + c)^p]

(equation 9 and section 4). The derivative is one product with the Jacobian, in forward mode. At
t = s it is plain flow matching, for which a share of the samples is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from .. import tree
from ..base import Batch
from ..distribution import Normal
from ..errors import require
from .algebra import Sampled
from .teacher import unfit

if TYPE_CHECKING:
    from ..model import Model


class MeanFlow(Sampled[Normal]):
    """The mean flow, for a network that knows two times, such as `net.Span(net)`.

    Needs continuous times and `Gaussian("velocity")`, on any path whose states stay of one size:
    straight ones (`schedule.Flow`, or path="flow") or variance preserving. Sample with
    `sampler.Jump`; at t = s the network is an ordinary velocity, for any other sampler.

    Args:
        same: share of the samples with s = t. power: p, 0 for the plain squared error; like every
            robust loss p > 0 is biased in a few dimensions. floor: c, for the mean over elements.
    """

    same: float = 0.75
    power: float = 1.0
    floor: float = 1e-3

    def __post_init__(self) -> None:
        require(0 <= self.same <= 1, "MeanFlow.same", "a share in [0, 1]", self.same)
        require(self.power >= 0, "MeanFlow.power", "at least 0", self.power)
        require(self.floor > 0, "MeanFlow.floor", "a positive number", self.floor)

    def fits(self, model: Model[Any], noise: Any) -> str | None:
        """Why this loss can't train `model`, or None."""
        reason = unfit(self, model, noise)
        if reason is not None:
            return reason
        if noise.parameter != "velocity":
            return f'MeanFlow learns an average velocity; use Gaussian("velocity"), not {noise!r}.'
        signal, sigma = noise.bind(model.schedule).clock(1.0)
        if signal**2 + sigma**2 > 2:
            return (
                f"MeanFlow: states grow to {sigma:.3g} on path {noise.path!r} of "
                f"{model.schedule!r}, and velocities with them. Use path='flow' or 'vp'."
            )
        if not model.time.continuous:
            return f"MeanFlow differentiates in t; use a continuous time, not {model.time!r}."
        inner = getattr(model.net, "net", model.net)
        if not (getattr(model.net, "spans", False) or getattr(inner, "spans", False)):
            return (
                f"MeanFlow needs a net that knows two times: net.Span({type(model.net).__name__}"
                "(...)), or one of your own with the attribute spans = True."
            )
        return None

    def each(self, batch: Batch[Normal]) -> Tensor:
        t = batch.t
        require(t.is_floating_point(), "MeanFlow", "continuous times", t.dtype)
        drawn = torch.rand(2, len(t)).to(t)
        s = torch.where(drawn[0] < self.same, t, t * drawn[1])
        found = batch.predict(batch.z, torch.stack([t, s], 1))[0]
        error = tree.mean((found - self._target(batch, s)).square())
        return error / (error.detach() + self.floor) ** self.power

    @torch.no_grad()
    def _target(self, batch: Batch[Normal], s: Tensor) -> Tensor:
        """v - (t - s)·du/dt; the derivative is taken only for samples with s < t."""
        t = batch.t
        v: Tensor = batch.noise.target("velocity", batch.x, batch.epsilon, t)
        moving = (s < t).nonzero().flatten()
        if len(moving) == 0:
            return v
        states = batch.z, batch.y, t, s, v
        z, y, now, end, slope = (tree.take(part, moving) for part in states)

        def mean(z: Tensor, t: Tensor) -> Tensor:
            return batch.predict(z, torch.stack([t, end], 1), y)[0]

        with sdpa_kernel(SDPBackend.MATH):  # the fused attentions have no forward mode
            change: Tensor = torch.func.jvp(mean, (z, now), (slope, torch.ones_like(now)))[1]
        correction = tree.rows(now - end, change).to(change.dtype) * change
        return v.index_add(0, moving, correction.to(v.dtype), alpha=-1)
