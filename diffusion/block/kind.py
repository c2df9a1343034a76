"""Whether values of one type may go where another is read."""

import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

NUMBERS = {int: (float, complex), float: (complex,), bool: (float, complex)}


def fits(given: Any, wanted: Any) -> bool:
    """Whether every value of type `given` is one of type `wanted`; Any fits and takes all."""
    given, wanted = _plain(given), _plain(wanted)
    if wanted is Any or given is Any or wanted is object or given == wanted:
        return True
    if _is_union(given):
        return all(fits(one, wanted) for one in get_args(given))
    if _is_union(wanted):
        return any(fits(given, one) for one in get_args(wanted))
    if get_origin(given) is Literal:
        return all(_is(value, wanted) for value in get_args(given))
    if get_origin(wanted) is Literal:
        return False
    own, other = get_origin(given) or given, get_origin(wanted) or wanted
    if not isinstance(own, type) or not isinstance(other, type):
        return False
    own, other = _checked(own), _checked(other)
    if _letters(own, other):
        return False
    if not issubclass(own, other):
        return other in NUMBERS.get(own, ())
    return _arguments(get_args(given), get_args(wanted))


def holds(value: Any, wanted: Any) -> bool:
    """Whether a value is of a type; items of containers included."""
    wanted = _plain(wanted)
    if wanted is Any or wanted is object:
        return True
    if _is_union(wanted):
        return any(holds(value, one) for one in get_args(wanted))
    return _is(value, wanted) and _inside(value, get_origin(wanted), get_args(wanted))


def _is(value: Any, wanted: Any) -> bool:
    if get_origin(wanted) is Literal:
        return any(type(value) is type(one) and value == one for one in get_args(wanted))
    if _is_union(wanted):
        return any(_is(value, one) for one in get_args(wanted))
    other = get_origin(wanted) or wanted
    if not isinstance(other, type):
        return True
    other = _checked(other)
    if _letters(type(value), other):
        return False
    return isinstance(value, other) or other in NUMBERS.get(type(value), ())


def _inside(value: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if not arguments or not isinstance(origin, type) or not isinstance(value, Collection):
        return True  # what is no collection would be used up by looking
    if issubclass(origin, tuple) and Ellipsis not in arguments:
        return len(value) == len(arguments) and all(map(holds, value, arguments))
    if isinstance(value, Mapping) and len(arguments) == 2:
        return all(holds(k, arguments[0]) and holds(v, arguments[1]) for k, v in value.items())
    if issubclass(origin, (list, tuple, set, frozenset)) or origin in (Iterable,):
        return all(holds(one, arguments[0]) for one in value)
    if isinstance(value, (list, tuple)):
        return all(holds(one, arguments[0]) for one in value)
    return True


def _arguments(given: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    """Whether those of one generic fit those of another; none given are any."""
    if not given or not wanted:
        return True
    if Ellipsis in wanted or len(given) != len(wanted):  # many of one type are read
        one = len(wanted) == 1 or Ellipsis in wanted
        return one and all(fits(each, wanted[0]) for each in given if each is not Ellipsis)
    return all(map(fits, given, wanted))


def _plain(kind: Any) -> Any:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if kind is None:
        return type(None)
    while hasattr(kind, "__supertype__"):  # a NewType
        kind = kind.__supertype__
    if isinstance(kind, TypeVar):
        return kind.__bound__ or Any
    return Callable if get_origin(kind) is Callable else kind


def _checked(kind: type) -> type:
    """The class that can be asked about instances of a type."""
    if typing.is_typeddict(kind):
        return dict
    unknown = getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", 0)
    return object if unknown else kind


def _letters(own: type, other: type) -> bool:
    """Whether one string would go where many items are read: nobody means its letters."""
    return issubclass(own, (str, bytes)) and other in (Sequence, Iterable, Collection)


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)
