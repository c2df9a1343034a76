"""`check`: the exams for a module, by its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .. import base
from ..component import Component
from ..errors import InputError
from ..model import Model
from ..train.optimizer import AdamW
from ..weight import Weight
from . import (
    component,
    data,
    distribution,
    grid,
    guidance,
    loss,
    model,
    net,
    noise,
    optimizer,
    sampler,
    schedule,
    time,
    weight,
)  # fmt: skip
from .report import Report, Result
from .setting import Setting

KINDS: tuple[tuple[type, Callable[[Any, Setting], Iterator[Result]]], ...] = (
    (base.Data, data.examine),
    (base.Schedule, schedule.examine),
    (base.Distribution, distribution.examine),
    (base.Noise, noise.examine),
    (base.Net, net.examine),
    (base.Loss, loss.examine),
    (base.Guidance, guidance.examine),
    (base.Time, time.examine),
    (base.Sampler, sampler.examine),
    (base.Grid, grid.examine),
    (Weight, weight.examine),
    (AdamW, optimizer.examine),
)


def check(
    module: Component | Model[Any],
    *,
    w: Any = None,
    x: Any = None,
    y: Any = None,
    t: Any = None,
    schedule: base.Schedule | None = None,
    noise: base.Noise[Any] | None = None,
    data: base.Data | None = None,
    hat: Callable[..., Any] | None = None,
    seed: int = 0,
) -> Report:
    """Examine one module of any kind, or every module of a model, and report what was found.

    Args:
        module: a component, the user's own included, or a `Model`.
        w: example items, for data. x, y, t: example inputs, for a net; x also for a noise.
        schedule, noise, data: partners, for modules that can't be examined alone; they are chosen
            where they are not given.
        hat: `hat(x, epsilon, z, t)`, what a perfect network answers, for a noise that predicts
            neither x nor epsilon.
        seed: of everything random: the same call gives the same report.

    Errors: something that is no component.
    """
    setting = Setting(w, x, y, t, schedule, noise, data, hat, seed)
    if isinstance(module, Model):
        return Report(f"Model: {module.net!r}", tuple(model.examine(module, setting, examine)))
    if isinstance(module, type):
        raise InputError(f"check: {module.__name__} is a class; give an object, made from it.")
    if not isinstance(module, Component):
        raise InputError(
            f"check: expected a module, derived from a class of diffusion.base; got "
            f"{type(module).__name__}."
        )
    return Report(repr(module), tuple(examine(module, setting)))


def examine(module: Any, setting: Setting) -> Iterator[Result]:
    """The results of a module: those of its kind, then those of every component."""
    for kind, exams in KINDS:
        if isinstance(module, kind):
            yield from exams(module, setting)
    for one in component.EXAMS:
        yield one.run(module, setting.seed)
