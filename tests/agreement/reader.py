r"""From the `scheduler_config.json` of a Diffusers scheduler to modules of the same process.

A betas table has alpha-bar_k = Π_{i<=k} (1 - beta_i) for k = 0..T-1, and no entry for the data: its
timestep k is t = k + 1 here. What a scheduler calls sigma is sigma/signal.

| setting | here |
|---|---|
| `beta_schedule` and its ends | `schedule.Table` of 1, 1 - beta_0, 1 - beta_1, ... |
| `rescale_betas_zero_snr` | `schedule.ZeroTerminal` |
| `prediction_type` | `Gaussian.parameter` |
| `timestep_spacing`, `steps_offset` | `grid.Spacing`; multistep solvers drop the last of n + 1 |
| `use_karras_sigmas` | `grid.Karras`, from the first to the last sigma of the table |
| `set_alpha_to_one`, `final_sigmas_type` | the last time, 0 or 1 |
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from diffusion import grid, noise, schedule
from diffusion.base import Sampler, Schedule
from diffusion.grid.inverse import ratio
from diffusion.noise import Clock, Gaussian
from diffusion.sampler import DDIM, Ancestral, DPMSolverPP, Euler, FlowAdams, UniPC

PARAMETERS = {"epsilon": "epsilon", "v_prediction": "v", "sample": "x"}
MULTISTEP = ("DPMSolverMultistepScheduler", "UniPCMultistepScheduler")


class Ours(NamedTuple):
    """The modules that one file stands for."""

    process: Gaussian
    sampler: Sampler
    config: dict[str, Any]

    def times(self, count: int) -> list[Any]:
        """Where a run of `count` steps goes."""
        found = times(self.config, self.process.clock, count)
        self.process.prepare(found)
        return found


def read(file: Path) -> Ours:
    """The process and the sampler of a saved scheduler."""
    config = json.loads(file.read_text())
    straight = config["_class_name"].startswith("FlowMatch")
    parameter = "velocity" if straight else PARAMETERS[config["prediction_type"]]
    return Ours(noise.Gaussian(parameter).bind(process(config)), sampler(config), config)


def process(config: dict[str, Any]) -> Schedule:
    """The schedule that the file describes."""
    steps = config["num_train_timesteps"]
    if config["_class_name"].startswith("FlowMatch"):
        return schedule.Flow(steps)  # a shift moves the times: velocity stays epsilon - x
    made = table(betas(config, steps))
    return schedule.ZeroTerminal(made) if config.get("rescale_betas_zero_snr") else made


def betas(config: dict[str, Any], steps: int) -> Tensor:
    """beta_k, k = 0..T-1, as the file says they are made."""
    first, last = config["beta_start"], config["beta_end"]
    if config["beta_schedule"] == "squaredcos_cap_v2":
        return (1 - schedule.Cosine(steps).compute()[1:]).float()
    if config["beta_schedule"] == "linear":
        return torch.linspace(first, last, steps)
    return torch.linspace(first**0.5, last**0.5, steps) ** 2


def table(betas: Tensor) -> Schedule:
    """The data at t = 0, and the k-th beta at t = k + 1.

    1 - beta is rounded to float32, as it was for the networks: at k = 0 that moves beta by 3e-4.
    """
    alpha = torch.cat([torch.ones(1), 1 - betas]).double()
    return schedule.Table(len(betas), alpha)


def sampler(config: dict[str, Any]) -> Sampler:
    """The preset that a class and its solver settings stand for."""
    name, order = config["_class_name"], config.get("solver_order", 1)
    if name == "DPMSolverMultistepScheduler":
        rule = "midpoint" if config["solver_type"] == "midpoint" else "exact"
        eta = 1.0 if config["algorithm_type"].startswith("sde") else 0.0
        return DPMSolverPP(order=order, rule=rule, eta=eta)
    return {
        "DDIMScheduler": DDIM(),
        "DDPMScheduler": Ancestral(),
        "EulerDiscreteScheduler": Euler(),
        "FlowMatchEulerDiscreteScheduler": FlowAdams(order=1),
        "UniPCMultistepScheduler": UniPC(order=order, corrector=order + 1),
    }[name]


def times(config: dict[str, Any], clock: Clock, count: int) -> list[Any]:
    """The times of `count` steps: floats where sigmas lie between those of the table."""
    if config["_class_name"].startswith("FlowMatch"):
        return straight(config, count)
    if config.get("use_karras_sigmas"):
        made: Any = grid.Karras(count, low=ratio(clock, 1), high=ratio(clock, clock.steps))
        return made.times(clock, True)
    kind, offset = config["timestep_spacing"], config["steps_offset"]
    if config["_class_name"] == "EulerDiscreteScheduler" and kind == "linspace":
        levels = [ratio(clock, t) for t in range(1, clock.steps + 1)]
        steps = np.linspace(clock.steps - 1, 0, count)
        made = grid.Points(count, np.interp(steps, np.arange(clock.steps), levels).tolist())
        return made.times(clock, True)
    extra = 1 if config["_class_name"] in MULTISTEP and kind != "trailing" else 0
    found = grid.Spacing(count + extra, kind, offset).times(clock, False)[:count]
    return [*found, 1 if near(config) else 0]


def near(config: dict[str, Any]) -> bool:
    """Whether a run ends at the first step of the table instead of the data."""
    return config.get("final_sigmas_type") == "sigma_min" or not config.get(
        "set_alpha_to_one", True
    )


def straight(config: dict[str, Any], count: int) -> list[float]:
    """Even steps from the largest to the smallest sigma, which their `shift` moves once more."""
    shift, steps = config["shift"], config["num_train_timesteps"]
    low, high = (shift * v / (1 + (shift - 1) * v) for v in (1 / steps, 1.0))
    even = np.linspace(high, low, count)
    return [*(shift * even / (1 + (shift - 1) * even)).tolist(), 0.0]
