"""From a `scheduler_config.json` to a plan, without loss or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...errors import FileError, InputError, suggest
from ...sampler.on import On
from . import circle, edm, flow, sigma, solver, table
from .nearest import NEAREST
from .plan import Plan
from .setting import Setting
from .straight import Straight

SETTINGS: dict[str, type[Setting]] = {
    cls.__name__: cls
    for module in (table, sigma, solver, edm, flow, circle)
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, Setting) and cls.__name__.endswith("Scheduler")
}
"""The classes that are read, by name."""

ELSEWHERE = frozenset({
    # of classes in `NEAREST`
    "alpha_cum_end", "alpha_cum_start", "clip_denoised", "correct_steps", "corrector_order", "eta",
    "gamma", "gamma_cum_end", "gamma_cum_start", "noise_sampler_seed", "predictor_order", "s_noise",
    "sampling_eps", "scheduler_type", "snr", "stage_range", "stages", "tau_func",
    # of earlier versions of Diffusers
    "predict_epsilon", "set_alpha_to_zero", "tensor_format", "timestep_values",
})  # fmt: skip
"""Keys of other classes. A file may hold them where a scheduler was made from another's file, and
Diffusers then ignores them."""


def read(
    config: Mapping[str, Any],
    where: str = "scheduler_config.json",
    *,
    tokens: int | None = None,
    mu: float | None = None,
    even: bool = False,
) -> Plan:
    """The plan of a scheduler's settings.

    Args:
        config: the file's content. where: its name, for errors.
        tokens: of one picture, for `use_dynamic_shifting`; without it, those of the largest.
        mu: the shift itself, in place of one by `tokens`.
        even: flows whose pipeline passes sigmas from 1 to 1/n, as Flux's does.

    Errors: `FileError` for a class, a key or a value that is unknown or not supported; for the
    latter with what is nearest to it.
    """
    cls = _class(config, where)
    given, ignored = _sorted(cls, config, where)
    try:
        setting = cls.build(given, where)
        plan = _called(setting, setting.plan(), tokens, mu, even)
        plan.bound()
    except FileError:
        raise
    except InputError as error:
        raise FileError(f"{where}: {cls.__name__}: {error}") from error
    return replace(plan, config=dict(config), ignored=ignored)


def known() -> frozenset[str]:
    """Every key of every class."""
    return ELSEWHERE.union(*(cls.keys() for cls in SETTINGS.values()))


def _class(config: Any, where: str) -> type[Setting]:
    if not isinstance(config, Mapping):
        raise FileError(f"{where}: expected settings by name, got {type(config).__name__}.")
    name = config.get("_class_name")
    if not isinstance(name, str):
        raise FileError(f"{where}: expected the name of a scheduler in _class_name, got {name!r}.")
    if name in NEAREST:
        raise FileError(f"{where}: not supported: {name}; nearest: {NEAREST[name]}")
    if name not in SETTINGS:
        version = config.get("_diffusers_version", "an unknown version")
        raise FileError(
            f"{where}: no scheduler is called {name!r} (the file was written by Diffusers "
            f"{version}).{suggest(name, [*SETTINGS, *NEAREST])}"
        )
    return SETTINGS[name]


def _sorted(
    cls: type[Setting], config: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The settings of the class, and the names of those of others."""
    own, others = cls.keys(), known()
    given = {key: value for key, value in config.items() if not str(key).startswith("_")}
    for key in given:
        if key not in own and key not in others:
            version = config.get("_diffusers_version", "an unknown version")
            raise FileError(
                f"{where}: {cls.__name__} has no setting {key!r} (the file was written by "
                f"Diffusers {version}).{suggest(str(key), own)}"
            )
    ignored = tuple(sorted(key for key in given if key not in own))
    return {key: value for key, value in given.items() if key in own}, ignored


def _called(setting: Any, plan: Plan, tokens: int | None, mu: float | None, even: bool) -> Plan:
    """The plan with what a pipeline passes with the call."""
    on = plan.sampler
    if not isinstance(on, On) or not isinstance(on.places, Straight):
        return plan
    if getattr(setting, "use_dynamic_shifting", False) and mu is None:
        if isinstance(setting, solver.UniPCMultistepScheduler):
            raise InputError("use_dynamic_shifting: the shift comes with the call: read(..., mu=).")
        mu = setting.mu(tokens) if isinstance(setting, flow.Matching) else None
    grid = flow.called(setting, on.places, mu, even)
    return replace(plan, sampler=On(on.sampler, grid))
