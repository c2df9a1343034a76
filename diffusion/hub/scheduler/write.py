"""From modules to a `scheduler_config.json` of which Diffusers makes the same process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...base import Grid, Guidance, Noise, Sampler, Schedule
from ...component import same
from ...errors import FileError, MismatchError
from ...guidance import Threshold
from ...noise import Clock, Gaussian
from ...sampler import DDIM, Ancestral, FlowAdams
from ...sampler.on import On
from ...schedule import Flow
from ...schedule.scales import bars
from .betas import Betas
from .flow import FlowMatchEulerDiscreteScheduler, least
from .grid import Ladder
from .guidance import Kept
from .large import Large
from .read import read
from .straight import Straight
from .table import PARAMETERS, DDIMScheduler, DDPMScheduler
from .timestep import Timestep

VERSION = "0.42.1"
"""The Diffusers whose keys are written."""
PREDICTIONS = {ours: theirs for theirs, ours in PARAMETERS.items()}
EVEN = 1e-9


def write(
    schedule: Schedule,
    noise: Noise[Any],
    sampler: Sampler,
    timestep: Timestep,
    guidance: Guidance | None = None,
    config: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The settings of a scheduler that samples as these modules do.

    A sampler that is not `On` a grid gets Diffusers' nearest to even steps of time: for tables
    "trailing", which is the same where the number of steps divides T.

    Args:
        timestep: how the network is told the time.
        guidance: the model's; of it, a `Threshold` alone is a setting (`clip_sample`).
        config: settings that the model was read from: kept as they are, if it is still theirs.

    Errors: `MismatchError`, where Diffusers has no such process or sampler, with what to change.
    """
    if config is not None and _unchanged(config, schedule, noise, sampler, timestep):
        return dict(config)
    if not isinstance(noise, Gaussian):
        raise MismatchError(
            f"scheduler and noise: Diffusers' schedulers know Gaussian noise, not {noise!r}. Save "
            "the model in its own format: model.save(folder)."
        )
    setting = (
        _flow(schedule, noise, sampler, timestep)
        if noise.parameter == "velocity"
        else _table(schedule, noise, sampler, timestep, guidance)
    )
    return {**setting.config(), "_diffusers_version": VERSION}


def _unchanged(config: Mapping[str, Any], *modules: Any) -> bool:
    try:
        plan = read(config)
    except FileError:
        return False
    return same([plan.schedule, plan.noise, plan.sampler, plan.timestep], [*modules])


def _apart(sampler: Sampler) -> tuple[Sampler, Grid | None]:
    return (sampler.sampler, sampler.places) if isinstance(sampler, On) else (sampler, None)


def _flow(
    schedule: Schedule, noise: Gaussian, sampler: Sampler, timestep: Timestep
) -> FlowMatchEulerDiscreteScheduler:
    if not isinstance(schedule, Flow) or schedule.shift != 1 or noise.path != "schedule":
        raise MismatchError(
            f"scheduler: FlowMatchEulerDiscreteScheduler has the velocity epsilon - x of "
            f"schedule.Flow() only, not of {schedule!r} with {noise!r}."
        )
    _told(timestep, "flow")
    solver, grid = _apart(sampler)
    if solver not in (FlowAdams(order=1), DDIM()):
        raise _strange(sampler, "FlowAdams(order=1) or DDIM()")
    shift = grid.shift if isinstance(grid, Straight) else 1.0
    read_from = Straight(1, shift, low=least(shift, schedule.steps))
    if grid is not None and grid.vary(steps=1) != read_from:
        raise _strange(sampler, "a grid that was read from this scheduler's settings, or none")
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=schedule.steps, shift=shift)


def _table(
    schedule: Schedule, noise: Gaussian, sampler: Sampler, timestep: Timestep,
    guidance: Guidance | None,
) -> DDPMScheduler | DDIMScheduler:  # fmt: skip
    if noise.parameter not in PREDICTIONS:
        raise MismatchError(
            f"scheduler and noise: Diffusers predicts {', '.join(PREDICTIONS)} of a table of "
            f"betas, not {noise.parameter!r}. Use Gaussian('v'), or save in our own format."
        )
    _even(schedule, noise)
    _told(timestep, "index")
    solver, grid = _apart(sampler)
    known = {"prediction_type": PREDICTIONS[noise.parameter], **_betas(schedule), **_grid(grid)}
    end = known.pop("end")
    if solver == DDIM():
        clip = _limit(guidance.inner if isinstance(guidance, Kept) else None)
        return DDIMScheduler(**known, **clip, set_alpha_to_one=end == 0)
    if solver not in (Ancestral(), Large()) or end:
        raise _strange(sampler, "Ancestral() or DDIM()")
    variance = {"fixed": "fixed_small", "range": "learned_range"}.get(noise.variance)
    if variance is None or noise.eta != 1:
        raise MismatchError(
            f"scheduler and noise: DDPMScheduler has no {noise!r}; variance='fixed' or 'range' and "
            "eta=1 it has."
        )
    variance = "fixed_large" if isinstance(solver, Large) else variance
    return DDPMScheduler(**known, **_limit(guidance), variance_type=variance)


def _even(schedule: Schedule, noise: Gaussian) -> None:
    """Raise unless signal² + sigma² = 1."""
    signal, sigma = Clock(schedule, noise.path)(torch.arange(schedule.steps + 1))
    if float((signal**2 + sigma**2 - 1).abs().max()) > EVEN:
        raise MismatchError(
            f"schedule and noise: a table of betas keeps signal² + sigma² = 1, and {schedule!r} "
            f"with path={noise.path!r} does not. Train with Gaussian(..., path='vp')."
        )


def _betas(schedule: Schedule) -> dict[str, Any]:
    """The keys that make the table."""
    if isinstance(schedule, Betas) and schedule.snr == 1 and not schedule.floor:
        trained = schedule.trained if schedule.kind == "trained" else None
        return {
            "num_train_timesteps": schedule.steps, "beta_start": schedule.start,
            "beta_end": schedule.end, "trained_betas": trained,
            "beta_schedule": "linear" if trained else schedule.kind,
            "rescale_betas_zero_snr": schedule.zero,
        }  # fmt: skip
    bar = bars(schedule)
    betas = tuple((1 - bar[1:] / bar[:-1]).tolist())
    return {"num_train_timesteps": schedule.steps, "trained_betas": betas}


def _grid(grid: Grid | None) -> dict[str, Any]:
    """The keys that space the steps. Even steps of time, which are the default, are "trailing"."""
    if grid is None:
        return {"timestep_spacing": "trailing", "end": 0}
    if isinstance(grid, Ladder) and grid.vary(steps=1) == Ladder(
        1, grid.kind, grid.offset, end=grid.end
    ):
        return {"timestep_spacing": grid.kind, "steps_offset": grid.offset, "end": grid.end}
    raise MismatchError(
        f"scheduler and grid: DDPMScheduler and DDIMScheduler visit timesteps of their table, not "
        f"{grid!r}. Use the sampler without On(...)."
    )


def _limit(guidance: Guidance | None) -> dict[str, Any]:
    if isinstance(guidance, Threshold) and guidance.mode == "static":
        return {"clip_sample": True, "clip_sample_range": guidance.limit}
    return {"clip_sample": False}


def _told(timestep: Timestep, kind: str) -> None:
    if timestep.kind != kind:
        raise MismatchError(
            f"scheduler and net: Diffusers tells this network {kind!r} times (see "
            f"hub.scheduler.Timestep), and it was trained on {timestep!r}."
        )


def _strange(sampler: Sampler, wanted: str) -> MismatchError:
    return MismatchError(
        f"scheduler and sampler: {sampler!r} can't be written; {wanted} can. Sample with any other "
        f"by model.sample(sampler=...), or save with model.replace(sampler=...)."
    )
