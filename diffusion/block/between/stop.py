"""Ending a sampling before its last step."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from ...errors import require
from ..base import Block


class Stop(Block):
    """End once nothing much is left to do: `Denoise` then returns the predicted data.

    That is when, for every sample, |state - denoised| ≤ within·|denoised|, in the Euclidean norm.
    For Gaussian noise and data of unit variance it is about the noise level sigma.

    Args:
        within: 0.1, say; 0 is never.
    """

    within: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.within >= 0, "Stop.within", "a share of at least 0", self.within)

    def __call__(self, state: Tensor, denoised: Tensor) -> Annotated[bool, "stop"]:
        gap = (state - denoised).float().flatten(1).norm(dim=1)
        size = denoised.float().flatten(1).norm(dim=1)
        return bool((gap < self.within * size).all())


class After(Block):
    """End after a number of steps, and return the predicted data."""

    steps: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.steps >= 1, "After.steps", "at least 1", self.steps)

    def __call__(self, step: int) -> Annotated[bool, "stop"]:
        return step + 1 >= self.steps
