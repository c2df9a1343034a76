r"""Conjugate gradients for a batch of linear systems (Hestenes & Stiefel 1952).

Each sample has its own system S·u = b with S symmetric and positive definite; the iterations are
of fixed number, without looking at values, so that nothing waits for the device. A direction of no
or negative curvature, which a trained network can show, ends the iterations of its sample.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def conjugate(apply: Callable[[Tensor], Tensor], b: Tensor, iterations: int) -> Tensor:
    """u with S·u = b, `[b, ...]`, where `apply(u)` is S·u."""
    u, left, direction = torch.zeros_like(b), b, b
    square = _dot(b, b)
    for _ in range(iterations):
        image = apply(direction)
        curvature = _dot(direction, image)
        # A solved sample has nothing left: 0/0.
        going = (curvature > 0) & (square > 0)
        length = torch.where(going, square / curvature.where(going, 1.0), 0.0)
        u, left = u + length * direction, left - length * image
        after = _dot(left, left)
        turn = torch.where(going, after / square.where(going, 1.0), 0.0)
        direction = torch.where(going, left + turn * direction, 0.0)
        square = after
    return u


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each sample, `[b, 1, ...]`."""
    return (a * b).flatten(1).sum(1).reshape(-1, *(1,) * (a.dim() - 1))
