"""The settings of one class of schedulers: its constructor's arguments are the keys of its file."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, Self

from ...base import Guidance
from ...component import Component, arguments, signature
from ...errors import FileError, require
from ...folder.typed import typed
from ...guidance import Threshold
from .betas import MOST
from .guidance import Quantile
from .plan import Plan


class Fixed(NamedTuple):
    """The values of a key that are supported, its default first, and what is nearest to others."""

    values: tuple[Any, ...]
    nearest: str


class Setting(Component):
    """Named like the class of Diffusers, with its keys and its defaults.

    Attributes:
        fixed: keys that are supported at some values only. They are no arguments.
    """

    fixed: ClassVar[Mapping[str, Fixed]] = {}

    @abstractmethod
    def plan(self) -> Plan:
        """What these settings stand for."""

    @classmethod
    def keys(cls) -> list[str]:
        """Every key that this class takes."""
        return [*signature(cls).parameters, *cls.fixed]

    @classmethod
    def build(cls, config: Mapping[str, Any], where: str) -> Self:
        """From keys that this class takes. Errors: a value that is wrong or not supported."""
        name, given = cls.__name__, dict(config)
        for key in [*given]:
            if key in cls.fixed:
                value, (values, nearest) = _frozen(given.pop(key)), cls.fixed[key]
                if not any(value == known and type(value) is type(known) for known in values):
                    raise FileError(
                        f"{where}: not supported: {name} with {key} = {value!r}; nearest: "
                        f"{key} = {' or '.join(map(repr, values))}. {nearest}"
                    )
        made = {k: typed(cls, k, _frozen(v), f"{where}: {k}") for k, v in given.items()}
        steps = made.get("num_train_timesteps", 1)
        if not 1 <= steps <= MOST:
            raise FileError(f"{where}: num_train_timesteps: expected 1 to {MOST}, got {steps}.")
        for key, value in made.items():
            if any(not math.isfinite(number) for number in _numbers(value)):
                raise FileError(f"{where}: {key}: expected finite numbers, got {value!r:.80}.")
        return cls(**made)

    def config(self) -> dict[str, Any]:
        """The settings as they stand in a file."""
        found = {key: one.values[0] for key, one in self.fixed.items()} | arguments(self)
        plain = {k: [*v] if isinstance(v, tuple) else v for k, v in sorted(found.items())}
        return {"_class_name": type(self).__name__, **plain}


def clipped(limit: float) -> Guidance:
    """`clip_sample` with its range."""
    return Threshold("static", limit=limit)


def thresholded(quantile: float, most: float) -> Guidance:
    """`thresholding`: |x| is divided by a quantile of it, within 1 and `most`."""
    require(most >= 1, "sample_max_value", "at least 1, the size of the data", most)
    return clipped(1.0) if most == 1 else Quantile(quantile, most)


def _numbers(value: Any) -> Iterable[float]:
    return value if isinstance(value, tuple) else (value,) if isinstance(value, float) else ()


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
