"""Multistep solvers in the log-SNR: DPM-Solver, UniPC and DEIS, on tables of betas and on flows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from ...base import Grid, Guidance, Sampler
from ...errors import InputError, choose, require
from ...noise import Gaussian
from ...sampler import DPMSolverPP, UniPC
from ...sampler.on import On
from ...schedule import Flow
from ...time import Continuous
from .grid import Ladder
from .multistep import Multistep
from .plan import Plan
from .setting import Fixed, thresholded
from .sigma import FLOOR, law
from .straight import Straight
from .table import Table
from .timestep import Timestep

SHORT = 15
"""Runs of fewer steps lower their order at the end."""
FINALS = ("zero", "sigma_min")
CLIPPED = Fixed((-math.inf, None), "Steps then begin at the first timestep whose log-SNR is less.")


class Solver(Table):
    """What these classes have in common."""

    timestep_spacing: str = "linspace"
    solver_order: int = 2
    thresholding: bool = False
    dynamic_thresholding_ratio: float = 0.995
    sample_max_value: float = 1.0
    use_karras_sigmas: bool = False
    use_exponential_sigmas: bool = False
    use_beta_sigmas: bool = False
    use_flow_sigmas: bool = False
    flow_shift: float = 1.0
    use_dynamic_shifting: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.solver_order <= 3, "solver_order", "1, 2 or 3", self.solver_order)
        require(self.flow_shift > 0, "flow_shift", "a positive number", self.flow_shift)
        if self.use_flow_sigmas and law(self):
            raise InputError(
                f"use_flow_sigmas with use_{law(self)}_sigmas: not supported; nearest: "
                "use_flow_sigmas alone, with its shift."
            )
        straight = self.prediction_type == "flow_prediction"
        if straight is not self.use_flow_sigmas and self.prediction_type != "sample":
            raise InputError(
                f"prediction_type = {self.prediction_type!r} with use_flow_sigmas = "
                f"{self.use_flow_sigmas}: not supported; nearest: 'flow_prediction' with "
                "use_flow_sigmas, or another prediction without."
            )

    def solve(self, sampler: Sampler, betas: Any, end: int, flow: Grid) -> Plan:
        """The plan of a solver: on `flow` if paths are straight, else on the table."""
        guidance = self.guidance()
        if self.use_flow_sigmas:
            straight = {"flow_prediction": "velocity", "sample": "x"}[self.prediction_type]
            return Plan(
                Flow(self.num_train_timesteps), Gaussian(straight), On(sampler, flow), Continuous(),
                Timestep("flow", whole="floor"), guidance,
            )  # fmt: skip
        rule = law(self) or ("exponential" if getattr(self, "use_lu_lambdas", False) else None)
        grid = Ladder(1, self.timestep_spacing, self.steps_offset, spare=self._spare(), law=rule,
                      end=end)  # fmt: skip
        between = not grid.stepping
        return self.walk(betas, self.noise(), sampler, grid, guidance, self._told(rule), between)

    def guidance(self) -> Guidance | None:
        """What is done to the predicted x."""
        if not self.thresholding:
            return None
        return thresholded(self.dynamic_thresholding_ratio, self.sample_max_value)

    def _spare(self) -> int:
        return 0 if self.timestep_spacing == "trailing" else 1

    def _told(self, rule: str | None) -> Timestep:
        """Integers: rounded for Karras' sigmas and Lu's log-SNRs, and cut for the others."""
        if rule is None:
            return Timestep()
        return Timestep(whole="round" if law(self) in ("karras", None) else "floor")


class DPMSolverMultistepScheduler(Solver):
    """DPM-Solver and DPM-Solver++, and the latter's SDE: `sampler.DPMSolverPP`.

    Of order 3, ours has the published coefficients; Diffusers takes half of the curvature.
    """

    algorithm_type: str = "dpmsolver++"
    solver_type: str = "midpoint"
    lower_order_final: bool = True
    euler_at_final: bool = False
    use_lu_lambdas: bool = False
    final_sigmas_type: str = "zero"
    rescale_betas_zero_snr: bool = False

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "lambda_min_clipped": CLIPPED,
        "variance_type": Fixed((None, "learned", "learned_range"), "The variance is not used."),
        "time_shift_type": Fixed(("exponential",), "Diffusers knows no other here."),
    }

    def plan(self) -> Plan:
        choose("final_sigmas_type", self.final_sigmas_type, FINALS)
        top = 1 - 1 / self.num_train_timesteps
        flow = Straight(1, self.flow_shift, top, 0.0, 1)
        betas = self.betas(self.rescale_betas_zero_snr, FLOOR)
        zero = self.final_sigmas_type == "zero"
        require(zero or not self.use_flow_sigmas, "final_sigmas_type", "'zero' for flows", "other")
        return self.solve(self._solver(zero), betas, 0 if zero else 1, flow)

    def _solver(self, zero: bool) -> Sampler:
        kind, order = self.algorithm_type, self.solver_order
        choose("algorithm_type", kind, ("dpmsolver++", "dpmsolver", "sde-dpmsolver++", "deis"))
        choose("solver_type", self.solver_type, ("midpoint", "heun", "logrho", "bh1", "bh2"))
        rule = "exact" if self.solver_type == "heun" else "midpoint"
        require(zero or kind[:3] != "sde", "final_sigmas_type", "'zero' for sde-dpmsolver++",
                self.final_sigmas_type)  # fmt: skip
        require(not zero or kind != "dpmsolver", "final_sigmas_type", "'sigma_min' for dpmsolver",
                self.final_sigmas_type)  # fmt: skip
        if zero:
            return DPMSolverPP(order=order, rule=rule, eta=1.0 if kind[:3] == "sde" else 0.0)
        known = not self.euler_at_final
        require(known, "euler_at_final", "false with final_sigmas_type 'sigma_min'", True)
        target = "epsilon" if kind == "dpmsolver" else "x"
        return ending(target, order, rule, self.lower_order_final, law(self) is not None)


class DEISMultistepScheduler(Solver):
    """Zhang & Chen 2023, with polynomials in log sigma."""

    lower_order_final: bool = True

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "algorithm_type": Fixed(("deis", "dpmsolver", "dpmsolver++"), "All of them are DEIS here."),
        "solver_type": Fixed(("logrho", "midpoint", "heun", "bh1", "bh2"), "All are 'logrho'."),
        "time_shift_type": Fixed(("exponential",), "Diffusers knows no other here."),
    }

    def plan(self) -> Plan:
        top = 1 - 1 / self.num_train_timesteps
        flow = Straight(1, self.flow_shift, top, 0.0, 1, data=False)
        repeated = law(self) is not None or self.use_flow_sigmas
        solver = ending("epsilon", self.solver_order, "exact", self.lower_order_final, repeated)
        return self.solve(solver, self.betas(), 1, flow)


class UniPCMultistepScheduler(Solver):
    """Zhao et al. 2023: `sampler.UniPC`."""

    predict_x0: bool = True
    time_shift_type: str = "exponential"
    shift_terminal: float | None = None
    final_sigmas_type: str = "zero"
    rescale_betas_zero_snr: bool = False

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "solver_type": Fixed(("bh2", "midpoint", "heun", "logrho"), "'bh1' differs by O(h) in the "
                             "weights of two targets; above order 2 they are the same."),
        "lower_order_final": Fixed((True,), "Without it, the step to sigma = 0 is infinite."),
        "disable_corrector": Fixed(((),), "The corrector costs no call."),
        "solver_p": Fixed((None,), "The predictor is UniPC's own."),
        "sigma_min": Fixed((None,), "Sigmas begin and end with the table."),
        "sigma_max": Fixed((None,), "Sigmas begin and end with the table."),
    }  # fmt: skip

    def plan(self) -> Plan:
        choose("final_sigmas_type", self.final_sigmas_type, FINALS)
        zero, order = self.final_sigmas_type == "zero", self.solver_order
        within = zero or not (self.use_flow_sigmas or law(self))
        require(within, "final_sigmas_type", "'zero', unless all times are timesteps of the table",
                self.final_sigmas_type)  # fmt: skip
        target = "x" if self.predict_x0 else "epsilon"
        solver = UniPC(target, order=order, corrector=order + 1)
        betas = self.betas(self.rescale_betas_zero_snr, FLOOR)
        known = self.shift_terminal is None or self.use_flow_sigmas
        require(known, "shift_terminal", "use_flow_sigmas", self.shift_terminal)
        flow = Straight(1, self.flow_shift, 1.0, 1 / self.num_train_timesteps, 1,
                        self.shift_terminal or None, most=1 - 1e-6)  # fmt: skip
        return self.solve(solver, betas, 0 if zero else 1, flow)


def ending(target: str, order: int, rule: str, lowered: bool, repeated: bool) -> Sampler:
    """A solver that ends with noise. Where Diffusers' last level is there twice, so is its call.

    The last step then moves nothing, and is left out here; it counts for orders that are lowered.
    """
    spare = 1 if repeated else 0
    return Multistep(target, "log_snr", order, rule, SHORT - spare if lowered else 0, spare)
