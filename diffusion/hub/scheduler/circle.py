"""IPNDM, the scheduler of Dance Diffusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ...errors import require
from ...noise import Gaussian
from ...sampler.on import On
from ...time import Continuous
from .betas import MOST, Circle
from .grid import Squared
from .multistep import Multistep
from .plan import Plan
from .setting import Fixed, Setting
from .timestep import Timestep


class IPNDMScheduler(Setting):
    """Pseudo-linear multistep of order 4 on a circle, from v.

    Its first step starts from pure noise, where Diffusers takes x for 0; ours takes the
    network's x.
    """

    num_train_timesteps: int = 1000

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "trained_betas": Fixed((None,), "Levels follow from the number of steps."),
    }

    def plan(self) -> Plan:
        steps = self.num_train_timesteps
        require(1 <= steps <= MOST, "num_train_timesteps", f"1 to {MOST}", steps)
        return Plan(
            Circle(steps), Gaussian("v"), On(Multistep("epsilon", "index", 4), Squared(1)),
            Continuous(), Timestep("angle"),
        )  # fmt: skip
