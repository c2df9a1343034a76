"""A model under another scheduler, by the name that Diffusers gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...base import Guidance, Sampler
from ...errors import InputError, MismatchError, suggest
from ...guidance import Chain
from ...hub.assemble import scheduled as of_folder
from ...hub.denoiser import Denoiser
from ...hub.scheduler import Plan
from ...hub.scheduler import read as read_scheduler
from ...hub.scheduler.flow import FlowMatchHeunDiscreteScheduler, Matching
from ...hub.scheduler.nearest import NEAREST
from ...hub.scheduler.read import SETTINGS
from ...hub.scheduler.solver import Solver
from ...model import Model
from ...schedule import Flow
from .net import remade

Scheduler = str | Mapping[str, Any] | Sampler | None
"""A class of Diffusers by its name, its settings with `_class_name`, a sampler, or the model's."""


def scheduled(model: Model[Any], scheduler: Scheduler) -> Model[Any]:
    """`model` with the sampler, the grid and the times of a scheduler.

        scheduled(model, "UniPCMultistepScheduler")
        scheduled(model, {"_class_name": "DDIMScheduler", "timestep_spacing": "trailing"})

    A model of a Diffusers folder keeps its folder's settings, as `from_config` does, so its own
    betas; latents are not clipped unless that is asked for. Any other model keeps its schedule and
    its noise, and takes the solver and the grid. Solvers of log-SNRs are told of straight paths.

    Errors: a name that is not known, with the nearest; a scheduler of tables of betas for a model
    of straight paths, or the reverse.
    """
    if scheduler is None:
        return model
    if isinstance(scheduler, Sampler):
        return model.replace(sampler=scheduler)
    given = {"_class_name": scheduler} if isinstance(scheduler, str) else dict(scheduler)
    name = _known(given.get("_class_name"))
    straight = isinstance(model.schedule, Flow)
    _fits(name, straight)
    origin: Any = model.net.origin.get("plan") if isinstance(model.net, Denoiser) else None
    config = {**_usual(model, name, straight, origin), **given}
    if not isinstance(origin, Plan) or not isinstance(model.net, Denoiser):
        return _own(model, read_scheduler(config, f"sampler={name!r}"))
    network: Any = getattr(model.net.network, "flux", model.net.network)
    plan = of_folder({**origin.config, **config}, network, model.shape)
    net = remade(model.net, plan.schedule, timestep=plan.timestep)
    net.origin = {**model.net.origin, "plan": plan}
    return model.replace(
        schedule=plan.schedule, noise=plan.noise, time=plan.time, sampler=plan.sampler, net=net,
        guidance=_guidance(model.guidance, origin.guidance, plan.guidance),
    )  # fmt: skip


def _own(model: Model[Any], plan: Plan) -> Model[Any]:
    """A model that is not a folder's: its process stays, and so do continuous times."""
    time = plan.time if plan.time.continuous and not model.time.continuous else model.time
    guidance = _guidance(model.guidance, None, plan.guidance)
    return model.replace(sampler=plan.sampler, time=time, guidance=guidance)


def _usual(model: Model[Any], name: str, straight: bool, origin: Any) -> dict[str, Any]:
    """Settings that follow from the model, where the scheduler's class has them."""
    cls, config = SETTINGS[name], {} if origin is None else origin.config
    found: dict[str, Any] = {"num_train_timesteps": model.schedule.steps}
    if "clip_sample" not in config and "clip_sample" in cls.keys():  # noqa: SIM118 - not a dict
        found["clip_sample"] = False
    if straight and issubclass(cls, Solver):
        shift = config.get("flow_shift", config.get("shift", getattr(model.schedule, "shift", 1.0)))
        found |= {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
        found |= {"flow_shift": shift, "use_dynamic_shifting": False}
    return found


def _known(name: Any) -> str:
    if name in NEAREST:
        raise InputError(f"sampler: {name} is not supported; nearest: {NEAREST[name]}")
    if not isinstance(name, str) or name not in SETTINGS:
        raise InputError(
            f"sampler: no scheduler is called {name!r}.{suggest(str(name), SETTINGS)} Give one of "
            f"{', '.join(sorted(SETTINGS))}, or a diffusion.sampler."
        )
    return name


def _fits(name: str, straight: bool) -> None:
    cls = SETTINGS[name]
    flows = issubclass(cls, (Matching, FlowMatchHeunDiscreteScheduler))
    if flows and not straight:
        raise MismatchError(
            f"sampler: {name} walks straight paths, and the model's schedule is none; take "
            "EulerDiscreteScheduler, or UniPCMultistepScheduler."
        )
    if straight and not flows and not issubclass(cls, Solver):
        raise MismatchError(
            f"sampler: {name} walks a table of betas, and the model's paths are straight; take "
            "FlowMatchEulerDiscreteScheduler, or UniPCMultistepScheduler."
        )


def _guidance(
    own: Guidance | None, before: Guidance | None, after: Guidance | None
) -> Guidance | None:
    """The model's guidance, with what one scheduler does in the place of what another did."""
    parts = list(own.parts) if isinstance(own, Chain) else [] if own is None else [own]
    kept = [part for part in parts if before is None or part != before]
    kept += [] if after is None else [after]
    return None if not kept else kept[0] if len(kept) == 1 else Chain(tuple(kept))
