"""Arguments that are numbers, checked one by one where a guidance is made."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from ..errors import InputError, require


def number(where: str, value: Any, least: float = 0.0, most: float = math.inf) -> None:
    """Raise `InputError` unless `value` is a finite number, `least` <= value <= `most`."""
    fine = _finite(value) and least <= value <= most
    expected = f"{least:g} to {most:g}" if most < math.inf else f">= {least:g}"
    require(fine, where, expected, repr(value))


def positive(where: str, value: Any, expected: str = "a number > 0") -> None:
    """Raise `InputError` unless `value` is a finite number above 0."""
    require(_finite(value) and value > 0, where, expected, repr(value))


def numbers(where: str, values: Any, expected: str) -> tuple[float, ...]:
    """Finite numbers, at least one, as a tuple."""
    several = isinstance(values, Sequence) and not isinstance(values, (str, bytes))
    if not several or len(values) == 0 or not all(map(_finite, values)):
        raise InputError(f"{where}: expected {expected}; got {values!r}.")
    return tuple(values)


def _finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
