"""Checking values from files against the types that constructors declare."""

import functools
import inspect
import typing
from typing import Any

from ..component import signature
from ..errors import FileError


@functools.cache
def _adapter(cls: type, name: str) -> Any:
    from pydantic import TypeAdapter, ValidationError

    hint = hints(cls).get(name)
    if hint is None or not _simple(hint):
        return None
    return TypeAdapter(hint), ValidationError


@functools.cache
def hints(cls: type) -> dict[str, Any]:
    """The types of a constructor's arguments, where they can be looked up."""
    own: dict[str, Any] = {}
    for source in (cls, cls.__init__):  # type: ignore[misc]
        try:
            own |= typing.get_type_hints(source)
        except (NameError, TypeError):
            continue  # annotations that only a type checker can resolve: nothing to check with
    return own


def _simple(hint: Any) -> bool:
    """Whether a type is made of numbers, strings and containers of them."""
    if hint in (int, float, str, bool, type(None)):
        return True
    return bool(typing.get_args(hint)) and all(
        arg is Ellipsis or _simple(arg) for arg in typing.get_args(hint)
    )


def typed(cls: type, name: str, value: Any, where: str) -> Any:
    """`value` as the type that `cls` declares for its argument `name`, where that is plain data."""
    parameter = signature(cls).parameters.get(name)
    if parameter is None or (value is None and parameter.default is None):
        return value
    found = _adapter(cls, name)
    if found is None or parameter.annotation is inspect.Parameter.empty:
        return value
    adapter, invalid = found
    try:
        return adapter.validate_python(value)
    except invalid as error:
        said = error.errors()[0]["msg"]
        raise FileError(f"{where}: {said}; got {value!r}.") from None
