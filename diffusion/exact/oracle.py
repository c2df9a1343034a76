r"""A closed-form denoiser in the shape of a network.

A `Predict` answers in the parametrisation of a bound noise: from E[x | z] follows
E[epsilon | z] = (z - signal·E[x|z]) / sigma, and a row of `diffusion.parameter` makes the target
a·x + b·epsilon of both. `predict` sees the raw state `z`; the model scales a network's input by
itself.
"""

from typing import Protocol

import torch
from torch import Tensor

from .. import tree
from ..base import Predict
from ..errors import require
from ..noise.gaussian import Gaussian
from ..tree import State


class Ideal(Protocol):
    """Anything with a closed-form E[x | z, y]; `y = None` and the class 0 are the marginal."""

    def denoise(
        self, z: Tensor, signal: float | Tensor, sigma: float | Tensor, y: Tensor | None = None
    ) -> Tensor: ...


def oracle(ideal: Ideal, noise: Gaussian) -> Predict:
    """`predict(z, y, t) -> hat [1, b, ...]`: what a perfect network for `noise` would answer.

    Computed in float64 and cast to the dtype of `z`. Errors: a learned variance has no closed form.
    """
    require(
        noise.variance == "fixed", "exact.oracle: noise.variance", "'fixed'", noise.variance,
        "Use noise.vary(variance='fixed').",
    )  # fmt: skip

    def predict(z: State, y: State, t: object) -> Tensor:
        state = z.double()
        signal, sigma = noise.clock(t)
        x = ideal.denoise(state, signal, sigma, y)
        hat = noise.target(noise.parameter, x, residual(state, x, signal, sigma), t)
        return hat.to(z.dtype).unsqueeze(0)

    return predict


def residual(z: Tensor, x: Tensor, signal: float | Tensor, sigma: float | Tensor) -> Tensor:
    """epsilon = (z - signal·x)/sigma, and 0 where there is no noise."""
    on, scale = column(signal, z), column(sigma, z)
    return torch.where(scale > 0, (z - on * x) / torch.where(scale > 0, scale, 1.0), 0.0)


def column(value: float | Tensor, like: Tensor) -> Tensor:
    """A number, or one for each sample `[b]`, as a float64 tensor that broadcasts to `like`."""
    return tree.rows(torch.as_tensor(value, dtype=torch.float64, device=like.device), like)
