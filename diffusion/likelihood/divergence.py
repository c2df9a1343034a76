r"""The divergence of a field, exactly or by random probes.

    div f = sum_i d f_i / d z_i = E v^T (df/dz) v,    v_i = -1 or 1 with equal chance

The expectation is Hutchinson's (1990) estimator, which needs one vector-Jacobian product where the
sum takes one for each dimension. Of all v with independent entries of variance 1, signs have the
least variance: the diagonal adds none.
"""

import torch
from torch import Tensor

from .. import tree
from ..rng import Rng, uniform

EXACT = 16
"""Dimensions up to which the divergence is summed rather than estimated."""


def exact(x: Tensor) -> bool:
    """Whether states like `x` are small enough for the sum."""
    return x[0].numel() <= EXACT


def probes(x: Tensor, rng: Rng) -> Tensor:
    """The vectors that the divergence is taken along, `[n, b, ...]`: all units, or one of signs."""
    if not exact(x):
        return torch.where(uniform(x, rng) < 0.5, -1.0, 1.0).to(x.dtype).unsqueeze(0)
    units = torch.eye(x[0].numel(), dtype=x.dtype, device=x.device)
    return units.reshape(-1, 1, *x.shape[1:]).expand(-1, *x.shape)


def divergence(value: Tensor, z: Tensor, along: Tensor) -> Tensor:
    """sum over the probes of v^T (d value / dz) v, `[b]`, float64."""
    found = torch.zeros(len(z), dtype=torch.float64, device=z.device)
    for i, v in enumerate(along):
        (slope,) = torch.autograd.grad(
            value, z, v, retain_graph=i < len(along) - 1, materialize_grads=True
        )
        found += tree.total((slope * v).double())
    return found
