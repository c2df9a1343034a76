"""Ports: the inputs and outputs of a block, as its `__call__` declares them.

    def __call__(
        self, latents: Annotated[Tensor, "b c h w"], strength: float = 1.0
    ) -> Annotated[Tensor, "image: b 3 H W"]: ...

A parameter is an input, with its type, symbolic shape and default. The return annotation names the
output, or is a `TypedDict` whose keys are the outputs.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from typing import (
    Annotated,
    Any,
    NamedTuple,
    NotRequired,
    Union,
    get_args,
    get_origin,
    is_typeddict,
)

from ..errors import InputError
from . import kind as kinds
from .shape import Shape

REQUIRED: Any = inspect.Parameter.empty
"""The default of an input that has none."""


class Port(NamedTuple):
    """One input or output.

    Attributes:
        type: of its values. shape: of its tensors; None is any.
        default: of an input; `REQUIRED` if it must be given.
    """

    type: Any
    shape: Shape | None = None
    default: Any = REQUIRED

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def __str__(self) -> str:
        text = name(self.type) + (f' "{self.shape}"' if self.shape else "")
        return text if self.required else f"{text} = {self.default!r}"


class Ports(NamedTuple):
    """What a block reads and makes. `single`: whether it returns its one output as it is."""

    inputs: dict[str, Port]
    outputs: dict[str, Port]
    single: bool = False

    def typed(self, **kinds: Any) -> Ports:
        """The same with the types of some ports changed; optional inputs stay optional."""

        def one(key: str, port: Port) -> Port:
            if key not in kinds:
                return port
            return port._replace(type=kinds[key] | None if port.default is None else kinds[key])

        inputs = {key: one(key, port) for key, port in self.inputs.items()}
        outputs = {key: one(key, port) for key, port in self.outputs.items()}
        return Ports(inputs, outputs, self.single)

    def __str__(self) -> str:
        def listed(ports: dict[str, Port]) -> str:
            return ", ".join(f"{key}: {port}" for key, port in ports.items()) or "nothing"

        return f"({listed(self.inputs)}) -> {listed(self.outputs)}"


def declared(cls: type) -> Ports:
    """The ports that a class's `__call__` declares. Errors: a parameter or output without type."""
    call: Any = cls.__call__
    where = f"{cls.__name__}.__call__"
    try:
        hints = typing.get_type_hints(call, include_extras=True)
    except (NameError, TypeError) as error:
        raise InputError(
            f"{where}: its annotations can't be read: {error}. Names in them must be importable "
            "where the class is defined."
        ) from None
    inputs = {}
    for parameter in list(inspect.signature(call).parameters.values())[1:]:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise InputError(f"{where}: ports have names; got {parameter}.")
        if parameter.name not in hints:
            raise InputError(f"{where}: the input {parameter.name!r} has no type.")
        kind, said = _parts(hints[parameter.name])
        default = parameter.default
        if default is not REQUIRED and default is not None and not kinds.holds(default, kind):
            raise InputError(
                f"{where}: the input {parameter.name!r} is {name(kind)}, but its default is "
                f"{default!r:.100}."
            )
        inputs[parameter.name] = Port(kind, _shape(said, where), default)
    if "return" not in hints:
        raise InputError(
            f"{where}: its outputs have no names. Annotate what it returns: -> Annotated[Tensor, "
            '"image"], or a TypedDict, or None.'
        )
    return _outputs(hints["return"], inputs, where)


def name(kind: Any) -> str:
    """A type as people write it."""
    if isinstance(kind, type) and not get_args(kind):
        return kind.__name__
    return re.sub(r"(?:[A-Za-z_]\w*\.)+(\w+)", r"\1", str(kind)).replace("NoneType", "None")


def _outputs(hint: Any, inputs: dict[str, Port], where: str) -> Ports:
    if hint is type(None):
        return Ports(inputs, {})
    if is_typeddict(hint):
        made = {}
        for key, inner in typing.get_type_hints(hint, include_extras=True).items():
            if get_origin(inner) is NotRequired:
                raise InputError(
                    f"{where}: the output {key!r} is NotRequired; outputs are always made. Make it "
                    "None where there is none."
                )
            kind, said = _parts(inner)
            made[key] = Port(kind, _shape(said, where))
        return Ports(inputs, made)
    kind, said = _parts(hint)
    if said is None:
        raise InputError(
            f'{where}: its output has no name. Write -> Annotated[{name(kind)}, "name"], or '
            '"name: b c h w" with its shape.'
        )
    label, _, sizes = said.partition(":")
    if not label.strip().isidentifier():
        raise InputError(f"{where}: expected a name for its output; got {said!r}.")
    return Ports(inputs, {label.strip(): Port(kind, _shape(sizes or None, where))}, single=True)


def _parts(hint: Any) -> tuple[Any, str | None]:
    """A type, and the string beside it."""
    if get_origin(hint) in (Union, types.UnionType):  # Annotated[Tensor, "b h w"] | None
        said = [one for one in map(_parts, get_args(hint)) if one[1] is not None]
        return hint, said[0][1] if said else None
    if get_origin(hint) is not Annotated:
        return hint, None
    kind, *rest = get_args(hint)
    return kind, next((one for one in rest if isinstance(one, str)), None)


def _shape(said: str | None, where: str) -> Shape | None:
    return None if said is None else Shape.parse(said, where)
