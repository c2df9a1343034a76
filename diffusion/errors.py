"""Errors written for people: what was expected, what came, which module, what to do."""

import difflib
from collections.abc import Iterable


class DiffusionError(ValueError):
    """Base of every error this library raises on purpose."""


class InputError(DiffusionError):
    """A value given to a module is wrong: its type, shape, range or spelling."""


class MismatchError(DiffusionError):
    """Two modules of one model do not fit each other."""


class FileError(DiffusionError):
    """A file or folder is damaged, hostile, or not what was asked for."""


class TrainingError(DiffusionError):
    """Training met a value it must not continue with."""


def suggest(name: str, options: Iterable[str]) -> str:
    """`" Did you mean 'x'?"` when one of the options is close to `name`, else `""`."""
    close = difflib.get_close_matches(name, list(options), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def choose(where: str, value: object, options: Iterable[str]) -> None:
    """Raise `InputError` unless `value` is one of `options`."""
    options = list(options)
    if value not in options:
        hint = suggest(str(value), options)
        raise InputError(f"{where}: expected one of {', '.join(options)}; got {value!r}.{hint}")


def require(condition: bool, where: str, expected: str, got: object, fix: str = "") -> None:
    """Raise `InputError` as `where: expected ...; got ... fix` unless `condition` holds."""
    if not condition:
        raise InputError(f"{where}: expected {expected}; got {got}." + (f" {fix}" if fix else ""))
