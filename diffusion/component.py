"""Components: classes that are dataclasses without saying so, and that are their own config.

A subclass of `Component` is turned into a dataclass on first use, so users need no decorator; one
that carries an explicit `@dataclass(...)`, or writes its own `__init__`, is left as it is. The
constructor's arguments are the config: they give `repr`, `==`, `vary` and YAML in and out.
"""

import copy
import dataclasses
import functools
import inspect
from abc import ABCMeta
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

import torch
from torch import Tensor, nn

from .errors import InputError, suggest

__all__ = ["Component", "arguments", "fields", "same"]

_FIELDS = "__dataclass_fields__"


def finalise(cls: type) -> None:
    """Make `cls` a dataclass, unless it is one or has its own init; its bases are done by then."""
    own = vars(cls)
    if _FIELDS in own or "__init__" in own or _inherits_init(cls):
        return
    inherited = any(
        f.init and not f.kw_only and f.default is not dataclasses.MISSING
        for f in getattr(cls, _FIELDS, {}).values()
    )
    if inherited:  # a required field after an inherited default: taken by keyword
        for name in own.get("__annotations__", {}):
            if name not in own and name not in getattr(cls, _FIELDS, {}):
                setattr(cls, name, dataclasses.field(kw_only=True))
    dataclasses.dataclass(eq=False, repr=False)(cls)


def _compared(cls: type) -> None:
    """Take back the `==` of an explicit `@dataclass`, which can't compare tensors, for our own."""
    written = vars(cls).get("__eq__")
    code = getattr(written, "__code__", None)
    if code is not None and code.co_filename == "<string>":  # generated, not the author's
        for name in ("__eq__", "__hash__"):
            setattr(cls, name, getattr(cls.__mro__[1], name))


def _inherits_init(cls: type) -> bool:
    """Whether the constructor is a base's that wrote its own; new fields would never reach it."""
    bases = [base for base in cls.__mro__[1:] if isinstance(base, ComponentMeta)]
    base = next((base for base in bases if "__init__" in vars(base)), cls)
    if base is cls or _FIELDS in vars(base):
        return False
    added = [
        name
        for name, kind in vars(cls).get("__annotations__", {}).items()
        if "ClassVar" not in str(kind)
    ]
    if added:
        raise InputError(
            f"{cls.__name__}.{added[0]}: a field under {base.__name__}, which writes its own "
            f"__init__, would not be an argument. Write {cls.__name__}.__init__, take it there, "
            "and call super().__init__."
        )
    return True


@dataclass_transform(eq_default=False, field_specifiers=(dataclasses.field, dataclasses.Field))
class ComponentMeta(ABCMeta):
    """Finalises a class before its first instance, and its bases before the class itself."""

    if not TYPE_CHECKING:  # a typed __call__ would hide the constructors' own signatures

        def __init__(cls, name, bases, namespace, **kwargs):
            super().__init__(name, bases, namespace, **kwargs)
            for base in bases:
                if isinstance(base, ComponentMeta):
                    finalise(base)

        def __call__(cls, *args, **kwargs):
            if "_ready" not in cls.__dict__:
                finalise(cls)
                _compared(cls)
                cls._ready = True
            try:
                self = type.__call__(cls, *args, **kwargs)
            except TypeError as error:
                raise _explained(cls, args, kwargs, error) from None
            if _FIELDS not in cls.__dict__:
                bound = signature(cls).bind(*args, **kwargs)
                object.__setattr__(self, "_arguments", dict(_flat(signature(cls), bound)))
            return self


def _flat(sign: inspect.Signature, bound: inspect.BoundArguments):  # type: ignore[no-untyped-def]
    for name, value in bound.arguments.items():
        if sign.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            yield from value.items()
        else:
            yield name, value


def _explained(cls: type, args: Any, kwargs: dict[str, Any], error: TypeError) -> TypeError:
    try:
        signature(cls).bind(*args, **kwargs)
    except TypeError as misfit:
        names = list(signature(cls).parameters)
        unknown = [name for name in kwargs if name not in names]
        hint = suggest(unknown[0], names) if unknown else ""
        return TypeError(f"{cls.__name__}({', '.join(names)}): {misfit}.{hint}")
    return error


@functools.cache
def signature(cls: type) -> inspect.Signature:
    """The constructor's signature, without `self`."""
    finalise(cls)
    constructor: Any = vars(cls).get("__init__", cls.__init__)  # type: ignore[misc]
    sign = inspect.signature(constructor)
    return sign.replace(parameters=list(sign.parameters.values())[1:])


class Component(metaclass=ComponentMeta):
    """Base of every module. Its constructor arguments are its whole configuration.

    `version` is stored with saved components; when the meaning of an argument changes, raise it
    and let `migrate` translate older arguments.
    """

    version: ClassVar[int] = 1

    @classmethod
    def migrate(cls, arguments: dict[str, Any], version: int) -> dict[str, Any]:
        """Translate arguments written by an older `version`. Errors: a version from the future."""
        if version > cls.version:
            raise InputError(
                f"{cls.__name__}: the file holds version {version}, this library knows up to "
                f"{cls.version}. Upgrade the library."
            )
        return arguments

    def vary(self, **changes: Any) -> Self:
        """A copy with some attributes changed; whatever it is bound to stays bound."""
        known = signature(type(self)).parameters
        for name in changes:
            if name not in known:
                hint = suggest(name, known)
                raise InputError(f"{type(self).__name__} has no argument {name!r}.{hint}")
        other = copy.copy(self)
        for name, value in changes.items():
            object.__setattr__(other, name, value)
        object.__setattr__(other, "_arguments", {**arguments(self), **changes})
        return other

    def __repr__(self) -> str:
        parts = [
            f"{name}={_brief(value)}"
            for name, value in arguments(self).items()
            if not same(value, signature(type(self)).parameters[name].default)
        ]
        return f"{type(self).__name__}({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and same(arguments(self), arguments(other))

    def __hash__(self) -> int:
        return hash(type(self))


def arguments(component: Any) -> dict[str, Any]:
    """The constructor arguments of a component, defaults included, as they are now."""
    if not isinstance(component, Component):
        raise InputError(f"expected a component, got {type(component).__name__}.")
    given: dict[str, Any] = component.__dict__.get("_arguments", {})
    found = {}
    for name, parameter in signature(type(component)).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            if name in given:
                found[name] = given[name]
        elif _is_field(component, name):
            found[name] = getattr(component, name)
        else:
            found[name] = given.get(name, parameter.default)
    return found


def fields(component: Any) -> tuple[str, ...]:
    """The names of the constructor arguments."""
    return tuple(arguments(component))


def _is_field(component: Any, name: str) -> bool:
    return name in getattr(type(component), _FIELDS, {}) and hasattr(component, name)


def same(a: Any, b: Any) -> bool:
    """Equality that also compares tensors, arrays, containers and configured networks."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        both = isinstance(a, Tensor) and isinstance(b, Tensor)
        return a is b or (both and a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b))
    if hasattr(a, "__array__") or hasattr(b, "__array__"):
        return a is b or (type(a) is type(b) and a.shape == b.shape and bool((a == b).all()))
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(i, j) for i, j in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, nn.Module) and not isinstance(a, Component):
        return type(a) is type(b) and repr(a) == repr(b) and same(a.state_dict(), b.state_dict())
    if isinstance(a, Component):
        return type(a) is type(b) and same(arguments(a), arguments(b))
    return bool(a == b)


def _brief(value: Any) -> str:
    if isinstance(value, Tensor) or hasattr(value, "__array__"):
        return f"{type(value).__name__}{list(value.shape)}"
    if inspect.isfunction(value):
        return value.__qualname__
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_brief(one)}' for key, one in value.items())}}}"
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
