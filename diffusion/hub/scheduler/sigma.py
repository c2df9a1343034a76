r"""Schedulers that integrate in sigma/signal of a table of betas: Karras et al. 2022, k-diffusion.

Their state is z/signal, of any size, and the network is shown it at unit variance, which is z here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...base import Guidance, Sampler, Schedule
from ...errors import InputError, choose, require
from ...grid.inverse import ratio
from ...noise import Gaussian
from ...noise.clock import Clock
from ...sampler import Ancestral, Euler, Heun, RungeKutta
from ...sampler.on import On
from ...schedule import Karras
from ...time import Continuous
from .grid import Curve, Ladder
from .multistep import Multistep
from .plan import Plan
from .setting import Fixed, clipped
from .table import Table
from .timestep import Timestep

FLOOR = 2.0**-24
"""alpha-bar that is left at t = T of a table that is rescaled to end without signal."""


def law(own: Any) -> str | None:
    """How sigma falls, if not by timesteps. Errors: two laws at once."""
    found = [name for name in ("karras", "exponential", "beta")
             if getattr(own, f"use_{name}_sigmas", False)]  # fmt: skip
    if len(found) > 1:
        raise InputError(
            f"use_{found[0]}_sigmas and use_{found[1]}_sigmas: expected at most one to be true."
        )
    return found[0] if found else None


class Sigmas(Table):
    """What these classes have in common."""

    timestep_spacing: str = "linspace"

    def over(
        self, sampler: Sampler, guidance: Guidance | None = None, between: bool = False,
        schedule: Schedule | None = None, **ends: Any,
    ) -> Plan:  # fmt: skip
        """The plan of a solver on the grid of these settings."""
        rule = law(self)
        grid = Ladder(1, self.timestep_spacing, self.steps_offset, whole=False, law=rule,
                      spaced=True, **ends)  # fmt: skip
        told = Timestep(between="log" if rule or between else "sigma")
        made = self.betas() if schedule is None else schedule
        between = between or not grid.stepping
        return self.walk(made, self.noise(), sampler, grid, guidance, told, between)


class EulerDiscreteScheduler(Sigmas):
    """Euler's method, `sampler.Euler`."""

    use_karras_sigmas: bool | None = False
    use_exponential_sigmas: bool | None = False
    use_beta_sigmas: bool | None = False
    sigma_min: float | None = None
    sigma_max: float | None = None
    timestep_type: str = "discrete"
    rescale_betas_zero_snr: bool = False
    final_sigmas_type: str = "zero"

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "interpolation_type": Fixed(("linear",), "Even steps in log sigma are "
                                    "use_exponential_sigmas; 'log_linear' tells the network other "
                                    "times than it walks."),
    }  # fmt: skip

    def plan(self) -> Plan:
        choose("timestep_type", self.timestep_type, ("discrete", "continuous"))
        choose("final_sigmas_type", self.final_sigmas_type, ("zero", "sigma_min"))
        known, rule = self.sigma_min is not None and self.sigma_max is not None, law(self)
        logarithmic = self.timestep_type == "continuous" and self.prediction_type == "v_prediction"
        if logarithmic and known and rule:
            return self._beyond(rule)
        schedule = self.betas(self.rescale_betas_zero_snr, FLOOR)
        self._within(schedule)
        end = 0 if self.final_sigmas_type == "zero" else 1
        plan = self.over(
            Euler(), schedule=schedule, end=end, low=self.sigma_min if rule else None,
            high=self.sigma_max if rule else None,
        )  # fmt: skip
        return replaced(plan, timestep=Timestep("noise")) if logarithmic else plan

    def _beyond(self, rule: str) -> Plan:
        """Of Stable Video Diffusion: sigmas of its own, whatever the table holds."""
        low, high = self.sigma_min or 0.0, self.sigma_max or 0.0
        require(self.final_sigmas_type == "zero", "final_sigmas_type", "'zero' with sigma_min",
                self.final_sigmas_type)  # fmt: skip
        return Plan(
            Karras(self.num_train_timesteps, low, high), Gaussian("v", path="vp"),
            On(Euler(), Curve(1, rule, high, low)), Continuous(), Timestep("noise"),
        )  # fmt: skip

    def _within(self, schedule: Schedule) -> None:
        """Raise where a sigma that is asked for is not in the table."""
        clock = Clock(schedule)
        for name in ("sigma_min", "sigma_max"):
            value = getattr(self, name)
            ends = [ratio(clock, t) for t in (1, clock.steps)]
            fits = value is None or ends[0] * 0.999 <= value <= ends[1] * 1.001
            require(fits, name, f"a sigma of the table, {ends[0]:.4g} to {ends[1]:.4g}, unless "
                    "timestep_type is 'continuous'", value)  # fmt: skip


class EulerAncestralDiscreteScheduler(Sigmas):
    """Steps of the exact posterior, `sampler.Ancestral`: k-diffusion's noise with eta = 1."""

    rescale_betas_zero_snr: bool = False

    def plan(self) -> Plan:
        return self.over(Ancestral(), schedule=self.betas(self.rescale_betas_zero_snr, FLOOR))


class HeunDiscreteScheduler(Sigmas):
    """Heun's method, `sampler.Heun`."""

    beta_start: float = 0.00085
    beta_end: float = 0.012
    use_karras_sigmas: bool = False
    use_exponential_sigmas: bool = False
    use_beta_sigmas: bool = False
    clip_sample: bool = False
    clip_sample_range: float = 1.0

    kinds: ClassVar[tuple[str, ...]] = (*Table.kinds, "exp")

    def plan(self) -> Plan:
        return self.over(Heun(), clipped(self.clip_sample_range) if self.clip_sample else None)


class KDPM2DiscreteScheduler(Sigmas):
    """The midpoint method, with the middle in log sigma: DPM-Solver-2 (Karras et al. 2022)."""

    beta_start: float = 0.00085
    beta_end: float = 0.012
    use_karras_sigmas: bool = False
    use_exponential_sigmas: bool = False
    use_beta_sigmas: bool = False

    def plan(self) -> Plan:
        return self.over(RungeKutta("midpoint", "epsilon", "log_snr"), between=True)


class LMSDiscreteScheduler(Sigmas):
    """Linear multistep of order 4, to the last step."""

    use_karras_sigmas: bool = False
    use_exponential_sigmas: bool = False
    use_beta_sigmas: bool = False

    def plan(self) -> Plan:
        return self.over(Multistep("epsilon", "sigma", 4))


def replaced(plan: Plan, **changes: Any) -> Plan:
    """The plan with some of its modules changed."""
    return Plan(**{**vars(plan), **changes})
