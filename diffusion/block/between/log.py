"""A line for each step."""

from __future__ import annotations

import logging

from torch import Tensor

from ...errors import require
from ..base import Block

LOGGER = logging.getLogger("diffusion.sampling")


class Log(Block):
    """Log the time, and the root mean squares of the state and of the predicted data.

        logging.basicConfig(level=logging.INFO)

    Args:
        every: how many steps.
    """

    every: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.every >= 1, "Log.every", "at least 1", self.every)

    def __call__(self, state: Tensor, denoised: Tensor, time: float, step: int, steps: int) -> None:
        if (step + 1) % self.every == 0 or step + 1 == steps:
            LOGGER.info(
                "step %d of %d, time %g: state %.4g, data %.4g",
                step + 1, steps, time, _size(state), _size(denoised),
            )  # fmt: skip


def _size(state: Tensor) -> float:
    return float(state.float().square().mean().sqrt())
