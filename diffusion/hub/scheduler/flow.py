"""Schedulers of straight paths: flow matching."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from ...base import Sampler
from ...errors import choose, require
from ...noise import Gaussian
from ...sampler import Consistency, FlowAdams, RungeKutta
from ...sampler.on import On
from ...schedule import Flow
from ...time import Continuous
from .plan import Plan
from .setting import Fixed, Setting
from .sigma import law
from .straight import Straight
from .timestep import Timestep


class FlowMatchHeunDiscreteScheduler(Setting):
    """Heun's method in flow time."""

    num_train_timesteps: int = 1000
    shift: float = 1.0

    def plan(self) -> Plan:
        steps, shift = self.num_train_timesteps, self.shift
        return straight(steps, RungeKutta(), Straight(1, shift, low=least(shift, steps)))


class Matching(Setting):
    """What the schedulers with a shift by the size of the picture have in common."""

    num_train_timesteps: int = 1000
    shift: float = 1.0
    use_dynamic_shifting: bool = False
    base_shift: float | None = 0.5
    max_shift: float | None = 1.15
    base_image_seq_len: int = 256
    max_image_seq_len: int = 4096
    shift_terminal: float | None = None
    use_karras_sigmas: bool | None = False
    use_exponential_sigmas: bool | None = False
    use_beta_sigmas: bool | None = False
    time_shift_type: str = "exponential"

    def __post_init__(self) -> None:
        choose("time_shift_type", self.time_shift_type, ("exponential", "linear"))
        known = self.shift > 0
        require(known, "shift", "a positive number", self.shift)

    def places(self) -> Straight:
        """The grid of these settings."""
        steps, shift = self.num_train_timesteps, self.shift
        require(steps >= 1, "num_train_timesteps", "at least 1", steps)
        low = 1 / steps if self.use_dynamic_shifting else least(shift, steps)
        return Straight(1, shift, low=low, terminal=self.shift_terminal or None, law=law(self))

    def mu(self, tokens: int | None) -> float | None:
        """The shift for a picture of so many tokens, or the largest; on a line through both ends.

        Where the file has no line, there is no shift for a size.
        """
        if self.base_shift is None or self.max_shift is None:
            return None
        low, high = self.base_image_seq_len, self.max_image_seq_len
        require(0 < low < high, "base_image_seq_len, max_image_seq_len", "0 < base < max",
                (low, high))  # fmt: skip
        share = 1.0 if tokens is None else (tokens - low) / (high - low)
        return self.base_shift + share * (self.max_shift - self.base_shift)


class FlowMatchEulerDiscreteScheduler(Matching):
    """Euler's method in flow time; with `stochastic_sampling`, as a consistency model."""

    stochastic_sampling: bool = False

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "invert_sigmas": Fixed((False,), "Inverted, paths go from data to noise."),
    }

    def plan(self) -> Plan:
        solver = Consistency() if self.stochastic_sampling else FlowAdams(order=1)
        return straight(self.num_train_timesteps, solver, self.places())


class FlowMatchLCMScheduler(Matching):
    """Predict the data, and noise them again: a consistency model of straight paths."""

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "invert_sigmas": Fixed((False,), "Inverted, paths go from data to noise."),
        "scale_factors": Fixed((None, ()), "The picture keeps its size."),
        "upscale_mode": Fixed(
            ("bicubic", "nearest", "linear", "bilinear", "trilinear", "area", "nearest-exact"),
            "Without scale_factors it has no effect.",
        ),
    }

    def plan(self) -> Plan:
        return straight(self.num_train_timesteps, Consistency(), self.places())


def straight(steps: int, sampler: Sampler, grid: Straight) -> Plan:
    """The plan of a solver for networks that predict the velocity."""
    return Plan(
        Flow(steps), Gaussian("velocity"), On(sampler, grid), Continuous(), Timestep("flow")
    )


def least(shift: float, steps: int) -> float:
    """sigma at the first of `steps`, shifted; grids begin from there, and shift it once more."""
    require(steps >= 1, "num_train_timesteps", "at least 1", steps)
    require(shift > 0, "shift", "a positive number", shift)
    return shift / (steps + shift - 1)


def called(setting: Any, grid: Straight, mu: float | None, even: bool) -> Straight:
    """The grid with what a pipeline passes with the call.

    Args:
        mu: for settings with `use_dynamic_shifting`, its shift: e^mu, or mu if that is linear.
        even: whether sigma falls from 1 to 1/n before it is shifted.
    """
    changes: dict[str, Any] = {"high": 1.0, "low": 0.0, "spare": 1} if even else {}
    if mu is not None and getattr(setting, "use_dynamic_shifting", False):
        linear = getattr(setting, "time_shift_type", "exponential") == "linear"
        shift = mu if linear else math.exp(mu)
        require(shift > 0, "mu", "a positive number, as time_shift_type is 'linear'", mu)
        changes["shift"] = shift
    return grid.vary(**changes) if changes else grid
