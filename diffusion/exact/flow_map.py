r"""What networks that take large steps should answer, in one dimension, where the flow is known.

The probability-flow path through z_t is, at time s, at the quantile map (`exact.quantile`)

    Phi_ts(z) = F_s⁻¹(F_t(z))

so that the consistency function is Phi_t0(z), and the average velocity (z - Phi_ts(z))/(t - s).
"""

from typing import Any

import torch
from torch import Tensor

from ..base import Predict
from ..errors import require
from ..noise.gaussian import Gaussian
from ..tree import State
from .mixture import Mixture
from .oracle import oracle, residual
from .quantile import Line, transport


def flow_map(mixture: Mixture, noise: Gaussian) -> Predict:
    """`predict(z, y, t) -> hat [1, b, ...]` of a perfect few-step network for the bound `noise`.

    At times `[b]` or a host number it is the consistency function, in the parametrisation of
    `noise`; at times `[b, 2]` = (t, s) the average velocity from t to s. It takes no conditions.
    Computed in float64. Errors: a mixture in more than one dimension.
    """
    require(
        mixture.means[0].numel() == 1, "exact.flow_map: mixture", "one dimension",
        f"states of shape {list(mixture.shape)}",
    )  # fmt: skip

    def line(t: Any, size: int) -> Line:
        """The law of z at each sample's time."""
        if not isinstance(t, Tensor):
            t = torch.full((size,), t)
        signal, sigma = noise.clock(t)
        signal = torch.where(t == 0, torch.ones_like(signal), signal)  # t = 0 is the data,
        sigma = torch.where(t == 0, torch.zeros_like(sigma), sigma)  # for losses as well
        return mixture._line(signal.reshape(-1, 1), sigma.reshape(-1, 1))  # type: ignore[arg-type]

    def average(z: Tensor, flat: Tensor, t: Tensor) -> Tensor:
        start, end = (t.double() if t.is_floating_point() else t).unbind(1)
        moved = transport(flat, line(start, len(z)), line(end, len(z)))
        width = (start - end).double() / (1 if t.is_floating_point() else noise.clock.steps)
        at_once = oracle(mixture, noise.vary(parameter="velocity"))(z.double(), None, start)
        u = torch.where(width > 0, (flat - moved) / width, at_once.flatten())
        return u.reshape(1, *z.shape).to(z.dtype)

    def predict(z: State, y: State, t: Any) -> Tensor:
        flat = z.double().flatten()
        if isinstance(t, Tensor) and t.dim() == 2:
            return average(z, flat, t)
        x = transport(flat, line(t, len(z)), mixture._line(1.0, 0.0)).reshape(z.shape)
        signal, sigma = noise.clock(t)
        hat = noise.target(noise.parameter, x, residual(z.double(), x, signal, sigma), t)
        return hat.to(z.dtype).unsqueeze(0)

    return predict
