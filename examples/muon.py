r"""Muon: matrices are moved by their momentum with all singular values made equal.

$M \leftarrow \mu M + (1-\mu)G$, $W \leftarrow W - \eta\,c\sqrt{\max(r, c)}\;UV^T$ where $U S V^T$ is
the Nesterov momentum; $UV^T$ comes from five Newton-Schulz iterations (Jordan et al. 2024). With
this factor, steps are of the size of Adam's (Liu et al. 2025, equation 4), so one learning rate
serves both: vectors, and matrices far from square, are moved by Adam.
"""

import math
from typing import Any

import torch
from torch import Tensor

from diffusion import train


class Muon(train.AdamW):
    """As `train.AdamW`, with the learning rate a function of the step, for `Model(optimizer=)`."""

    def __call__(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        near = [p.dim() == 2 and max(p.shape) <= 4 * min(p.shape) for p in parameters]
        groups = [
            {"params": [p for p, one in zip(parameters, near, strict=True) if one is square]}
            for square in (True, False)
        ]
        groups = [{**group, "square": i == 0} for i, group in enumerate(groups)]
        return _Muon(groups, {"lr": self.rate, "betas": list(self.betas), "epsilon": self.epsilon})


class _Muon(torch.optim.Optimizer):
    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                move = _matrix(p.grad, state) if group["square"] else _adam(p.grad, state, group)
                p.add_(move.to(p.dtype), alpha=-group["lr"])


def _matrix(gradient: Tensor, state: dict[str, Tensor], momentum: float = 0.95) -> Tensor:
    mean = state.setdefault("mean", torch.zeros_like(gradient))
    mean.lerp_(gradient, 1 - momentum)
    return 0.4 * math.sqrt(max(gradient.shape)) * orthogonal(gradient.lerp(mean, momentum))


def _adam(gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
    mean = state.setdefault("mean", torch.zeros_like(gradient))
    square = state.setdefault("square", torch.zeros_like(gradient))
    count = state.setdefault("count", torch.zeros(()))
    count += 1
    first, second = group["betas"]
    mean.lerp_(gradient, 1 - first)
    square.lerp_(gradient.square(), 1 - second)
    root = (square / (1 - second ** float(count))).sqrt_().add_(group["epsilon"])
    return mean / (1 - first ** float(count)) / root


def orthogonal(matrix: Tensor) -> Tensor:
    """About U V^T of a matrix U S V^T: singular values between 0.7 and 1.2."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x
