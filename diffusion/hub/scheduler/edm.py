r"""Schedulers of EDM: z = x + sigma·epsilon, and a preconditioned network. Karras et al. 2022.

With sigma_data = d the network's output F is read as x = d²·z/(sigma² + d²) ± sigma·d·F/√(sigma² +
d²): plus is the row "F" here; minus, `prediction_type` "v_prediction", is v for d = 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ...base import Guidance, Sampler
from ...errors import InputError, choose, require
from ...noise import Gaussian
from ...sampler import DPMSolverPP, Euler
from ...sampler.on import On
from ...schedule import Karras
from ...time import LogNormal
from .grid import Curve
from .multistep import Multistep
from .plan import Plan
from .setting import Fixed, Setting, thresholded
from .solver import FINALS, ending
from .timestep import Timestep

SOLVERS = ("midpoint", "heun", "logrho", "bh1", "bh2")


class Preconditioned(Setting):
    """What these classes have in common."""

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    sigma_data: float = 0.5
    sigma_schedule: str = "karras"
    num_train_timesteps: int = 1000
    prediction_type: str = "epsilon"
    rho: float = 7.0
    final_sigmas_type: str = "zero"

    def __post_init__(self) -> None:
        choose("sigma_schedule", self.sigma_schedule, ("karras", "exponential"))
        choose("final_sigmas_type", self.final_sigmas_type, FINALS)
        require(0 < self.sigma_min < self.sigma_max, "sigma_min, sigma_max", "0 < min < max",
                (self.sigma_min, self.sigma_max))  # fmt: skip
        require(0.1 <= self.rho <= 100, "rho", "0.1 to 100", self.rho)

    def along(
        self, sampler: Sampler, kind: str = "noise", guidance: Guidance | None = None
    ) -> Plan:
        """The plan of a solver on the levels of these settings."""
        low, high, data = self.sigma_min, self.sigma_max, self.final_sigmas_type == "zero"
        return Plan(
            Karras(self.num_train_timesteps, low, high, self.rho), self.noise(),
            On(sampler, Curve(1, self.sigma_schedule, high, low, self.rho, data)),
            LogNormal(low=low, high=high, rho=self.rho), Timestep(kind), guidance,
        )  # fmt: skip

    def noise(self) -> Gaussian:
        """The noise, with what the network predicts."""
        choose("prediction_type", self.prediction_type, ("epsilon", "v_prediction"))
        if self.prediction_type == "epsilon":
            return Gaussian("F", sigma_data=self.sigma_data)
        if self.sigma_data != 1:
            raise InputError(
                f"prediction_type = 'v_prediction' with sigma_data = {self.sigma_data}: not "
                "supported; nearest: prediction_type = 'epsilon', of which the output has the "
                "other sign, or sigma_data = 1."
            )
        return Gaussian("v", path="vp")


class EDMEulerScheduler(Preconditioned):
    """Euler's method."""

    def plan(self) -> Plan:
        return self.along(Euler())


class EDMDPMSolverMultistepScheduler(Preconditioned):
    """DPM-Solver++, and its SDE."""

    solver_order: int = 2
    thresholding: bool = False
    dynamic_thresholding_ratio: float = 0.995
    sample_max_value: float = 1.0
    algorithm_type: str = "dpmsolver++"
    solver_type: str = "midpoint"
    lower_order_final: bool = True

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "euler_at_final": Fixed((False,), "The last step has order 1 where it goes to the data."),
    }

    def plan(self) -> Plan:
        choose("algorithm_type", self.algorithm_type, ("dpmsolver++", "sde-dpmsolver++", "deis"))
        guidance = None
        if self.thresholding:
            guidance = thresholded(self.dynamic_thresholding_ratio, self.sample_max_value)
        return self.along(self._solver(), guidance=guidance)

    def _solver(self) -> DPMSolverPP | Multistep | Sampler:
        choose("solver_type", self.solver_type, SOLVERS)
        require(1 <= self.solver_order <= 3, "solver_order", "1, 2 or 3", self.solver_order)
        rule = "exact" if self.solver_type == "heun" else "midpoint"
        noisy = self.algorithm_type == "sde-dpmsolver++"
        if self.final_sigmas_type == "zero":
            return DPMSolverPP(order=self.solver_order, rule=rule, eta=1.0 if noisy else 0.0)
        require(not noisy, "final_sigmas_type", "'zero' for sde-dpmsolver++", "sigma_min")
        return ending("x", self.solver_order, rule, self.lower_order_final, repeated=True)


class CosineDPMSolverMultistepScheduler(Preconditioned):
    """SDE-DPM-Solver++ 2M for networks that are told the angle: Stable Audio."""

    sigma_min: float = 0.3
    sigma_max: float = 500.0
    sigma_data: float = 1.0
    sigma_schedule: str = "exponential"
    prediction_type: str = "v_prediction"
    solver_order: int = 2
    solver_type: str = "midpoint"

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "lower_order_final": Fixed((True, False), "The last step has order 1 in either case."),
        "euler_at_final": Fixed((False, True), "The last step has order 1 in either case."),
        "final_sigmas_type": Fixed(("zero",), "A step to sigma_min again would move nothing."),
    }

    def plan(self) -> Plan:
        choose("solver_type", self.solver_type, SOLVERS)
        require(1 <= self.solver_order <= 2, "solver_order", "1 or 2", self.solver_order)
        rule = "exact" if self.solver_type == "heun" else "midpoint"
        return self.along(DPMSolverPP(order=self.solver_order, rule=rule, eta=1.0), "angle")
