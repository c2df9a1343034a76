"""Schedulers that walk the timesteps of a table of betas, one network call each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ...base import Grid, Guidance, Sampler, Schedule
from ...errors import InputError, choose, require
from ...noise import Gaussian
from ...sampler import DDIM, Ancestral, Consistency, DPMSolverPP
from ...sampler.on import On
from ...time import Discrete
from .betas import Betas
from .grid import Ladder, Skipping
from .guidance import Boundary, Kept
from .large import Large
from .multistep import Multistep
from .plan import Plan
from .setting import Fixed, Setting, clipped, thresholded
from .timestep import Steps, Timestep

PARAMETERS = {"epsilon": "epsilon", "v_prediction": "v", "sample": "x"}
SPACINGS = ("linspace", "leading", "trailing")
VARIANCES = ("fixed_small", "fixed_small_log", "fixed_large", "learned_range")


class Table(Setting):
    """What every class with a table of betas is told."""

    num_train_timesteps: int = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02
    beta_schedule: str = "linear"
    trained_betas: tuple[float, ...] | None = None
    prediction_type: str = "epsilon"
    timestep_spacing: str = "leading"
    steps_offset: int = 0

    kinds: ClassVar[tuple[str, ...]] = ("linear", "scaled_linear", "squaredcos_cap_v2")

    def __post_init__(self) -> None:
        choose("beta_schedule", self.beta_schedule, self.kinds)
        choose("timestep_spacing", self.timestep_spacing, SPACINGS)
        fits = 0 <= self.steps_offset < max(self.num_train_timesteps, 1)
        require(fits, "steps_offset", "0 up to num_train_timesteps - 1", self.steps_offset)

    def betas(self, zero: bool = False, floor: float = 0.0, snr: float = 1.0) -> Betas:
        """The schedule."""
        known = self.trained_betas is not None
        return Betas(
            self.num_train_timesteps, "trained" if known else self.beta_schedule, self.beta_start,
            self.beta_end, self.trained_betas or (), snr, zero, floor if zero else 0.0,
        )  # fmt: skip

    def noise(self, variance: str = "fixed") -> Gaussian:
        """The noise, with what the network predicts."""
        choose("prediction_type", self.prediction_type, PARAMETERS)
        return Gaussian(PARAMETERS[self.prediction_type], variance)

    def ladder(self, end: int = 0) -> Ladder:
        """The grid of timesteps alone."""
        return Ladder(1, self.timestep_spacing, self.steps_offset, end=end)

    def walk(
        self, schedule: Schedule, noise: Gaussian, sampler: Sampler, grid: Grid,
        guidance: Guidance | None = None, timestep: Timestep | None = None, between: bool = False,
    ) -> Plan:  # fmt: skip
        """The plan of a scheduler of this kind, whose network may be asked `between` steps."""
        told = Timestep() if timestep is None else timestep
        time = Steps() if between else Discrete()
        return Plan(schedule, noise, On(sampler, grid), time, told, guidance)


class DDPMScheduler(Table):
    """Ho et al. 2020."""

    variance_type: str = "fixed_small"
    clip_sample: bool = True
    clip_sample_range: float = 1.0
    thresholding: bool = False
    dynamic_thresholding_ratio: float = 0.995
    sample_max_value: float = 1.0
    rescale_betas_zero_snr: bool = False

    kinds: ClassVar[tuple[str, ...]] = (*Table.kinds, "sigmoid", "laplace")

    def plan(self) -> Plan:
        choose("variance_type", self.variance_type, VARIANCES)
        noise = self.noise("range" if self.variance_type == "learned_range" else "fixed")
        sampler = Large() if self.variance_type == "fixed_large" else Ancestral()
        return self.walk(
            self.betas(self.rescale_betas_zero_snr), noise, sampler, self.ladder(), clips(self)
        )


class DDPMParallelScheduler(DDPMScheduler):
    """The same, for sampling many times at once."""


class DDIMScheduler(Table):
    """Song et al. 2021."""

    clip_sample: bool = True
    clip_sample_range: float = 1.0
    thresholding: bool = False
    dynamic_thresholding_ratio: float = 0.995
    sample_max_value: float = 1.0
    set_alpha_to_one: bool = True
    rescale_betas_zero_snr: bool = False

    def plan(self) -> Plan:
        guidance = clips(self)
        return self.walk(
            self.betas(self.rescale_betas_zero_snr), self.noise(), DDIM(),
            self.ladder(0 if self.set_alpha_to_one else 1),
            None if guidance is None else Kept(guidance),
        )  # fmt: skip


class DDIMParallelScheduler(DDIMScheduler):
    """The same, for sampling many times at once."""


class CogVideoXDDIMScheduler(Table):
    """DDIM with a shifted signal-to-noise ratio. It never clips, whatever its settings say."""

    beta_start: float = 0.00085
    beta_end: float = 0.012
    beta_schedule: str = "scaled_linear"
    set_alpha_to_one: bool = True
    rescale_betas_zero_snr: bool = False
    snr_shift_scale: float = 3.0
    clip_sample: bool = True
    clip_sample_range: float = 1.0
    sample_max_value: float = 1.0

    def plan(self) -> Plan:
        return self._shifted(DDIM())

    def _shifted(self, sampler: Sampler) -> Plan:
        schedule = self.betas(self.rescale_betas_zero_snr, snr=self.snr_shift_scale)
        end = 0 if self.set_alpha_to_one else 1
        return self.walk(schedule, self.noise(), sampler, self.ladder(end))


class CogVideoXDPMScheduler(CogVideoXDDIMScheduler):
    """SDE-DPM-Solver++ 2M on the same process."""

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "set_alpha_to_one": Fixed((True,), "Its last step adds noise that no call removes."),
    }

    def plan(self) -> Plan:
        return self._shifted(DPMSolverPP(eta=1.0))


class PNDMScheduler(Table):
    """Liu et al. 2022, as Stable Diffusion 1 uses it: without Runge-Kutta steps at the start."""

    set_alpha_to_one: bool = False
    skip_prk_steps: bool = False

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "prediction_type": Fixed(("epsilon",), "With others, Diffusers averages v of different "
                                 "times; DDIMScheduler knows them all."),
    }  # fmt: skip

    def plan(self) -> Plan:
        if not self.skip_prk_steps:
            raise InputError(
                "skip_prk_steps = False, which is the default: not supported; nearest: "
                "skip_prk_steps = True, which is linear multistep from the first steps on, without "
                "pseudo-Runge-Kutta steps of four calls."
            )
        sampler = Multistep("epsilon", "index", 4, warm=True)
        end = 0 if self.set_alpha_to_one else 1
        return self.walk(self.betas(), Gaussian("epsilon"), sampler, self.ladder(end))


class LCMScheduler(Table):
    """Latent consistency models, Luo et al. 2023."""

    beta_start: float = 0.00085
    beta_end: float = 0.012
    beta_schedule: str = "scaled_linear"
    original_inference_steps: int = 50
    clip_sample: bool = False
    clip_sample_range: float = 1.0
    thresholding: bool = False
    dynamic_thresholding_ratio: float = 0.995
    sample_max_value: float = 1.0
    set_alpha_to_one: bool = True
    timestep_scaling: float = 10.0
    rescale_betas_zero_snr: bool = False

    def plan(self) -> Plan:
        count, top = self.original_inference_steps, self.num_train_timesteps
        require(1 <= count <= top, "original_inference_steps", f"1 to {top}", count)
        clip, boundary = clips(self), Boundary(self.timestep_scaling)
        return self.walk(
            self.betas(self.rescale_betas_zero_snr), self.noise(), Consistency(),
            Skipping(1, count), boundary if clip is None else clip | boundary,
        )  # fmt: skip


class UnCLIPScheduler(Setting):
    """DDPM as unCLIP uses it."""

    num_train_timesteps: int = 1000
    variance_type: str = "fixed_small_log"
    clip_sample: bool = True
    clip_sample_range: float = 1.0
    prediction_type: str = "epsilon"

    fixed: ClassVar[Mapping[str, Fixed]] = {
        "beta_schedule": Fixed(("squaredcos_cap_v2",), "Diffusers knows no other here."),
    }

    def plan(self) -> Plan:
        choose("variance_type", self.variance_type, ("fixed_small_log", "learned_range"))
        return DDPMScheduler(
            self.num_train_timesteps, beta_schedule="squaredcos_cap_v2",
            prediction_type=self.prediction_type, timestep_spacing="linspace",
            variance_type=self.variance_type, clip_sample=self.clip_sample,
            clip_sample_range=self.clip_sample_range,
        ).plan()  # fmt: skip


def clips(own: DDPMScheduler | DDIMScheduler | LCMScheduler) -> Guidance | None:
    """What the settings say is done to the predicted x."""
    if own.thresholding:
        return thresholded(own.dynamic_thresholding_ratio, own.sample_max_value)
    return clipped(own.clip_sample_range) if own.clip_sample else None
