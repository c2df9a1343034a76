"""`check`: the exams that fit a module."""

from collections.abc import Callable, Iterator
from typing import Any

from .. import base
from ..component import Component
from ..errors import InputError
from . import component, distribution, noise, schedule
from .report import Report, Result
from .setting import Setting

KINDS: tuple[tuple[type, Callable[[Any, Setting], Iterator[Result]]], ...] = (
    (base.Schedule, schedule.examine),
    (base.Distribution, distribution.examine),
    (base.Noise, noise.examine),
)


def check(module: Any, **options: Any) -> Report:
    return Report(repr(module), tuple(run(module, Setting(**options))))


def run(module, setting):
    for b, e in KINDS:
        if isinstance(module, b):
            yield from e(module, setting)
    for one in component.EXAMS:
        yield one.run(module, setting.seed)
