"""Optimisers as components: what `Model(optimizer=...)` takes."""

import math
from typing import Any

import torch
from torch import Tensor

from ..component import Component
from ..errors import require


class AdamW(Component):
    """AdamW (Loshchilov & Hutter 2019), fused, with a learning rate that is a function of the step.

    Args:
        rate: learning rate. betas, decay, epsilon: as in the paper. warmup: steps of linear rise.
        steps: length of a cosine fall to zero after the rise; None stays at `rate`.
    """

    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    decay: float = 0.0
    epsilon: float = 1e-8
    warmup: int = 100
    steps: int | None = None

    def __post_init__(self) -> None:
        require(self.rate > 0, "AdamW.rate", "a positive number", self.rate)
        require(self.warmup >= 0, "AdamW.warmup", ">= 0", self.warmup)

    def __call__(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        """The optimiser of these parameters."""
        return torch.optim.AdamW(
            parameters,
            self.rate,
            (self.betas[0], self.betas[1]),
            self.epsilon,
            self.decay,
            fused=True,
        )

    def factor(self, step: int) -> float:
        """Learning rate at a step (from 0), as a multiple of `rate`."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.steps is None:
            return 1.0
        part = min((step - self.warmup) / max(self.steps - self.warmup, 1), 1.0)
        return 0.5 * (1 + math.cos(math.pi * part))


def rate_at(optimizer: Any, torch_optimizer: torch.optim.Optimizer, step: int) -> None:
    """Set the learning rate of `step`, if the component says how."""
    if hasattr(optimizer, "factor"):
        for group in torch_optimizer.param_groups:
            group["lr"] = optimizer.rate * optimizer.factor(step)
