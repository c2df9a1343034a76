"""Modules in a configuration: which class is meant, and with which arguments.

A module is `Cosine`, `{Cosine: {steps: 1000}}`, or in the long form of `model.yaml`
`{id: schedule.Cosine, steps: 1000}`. Everything is checked here, where the line is known.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..component import Component, signature
from ..errors import DiffusionError, FileError, suggest
from ..folder.config import build as build_plain
from ..folder.lines import Node
from ..folder.registry import PLAIN, library
from ..folder.typed import hints, typed

MAPS = ("parts", "schedules")
"""Arguments that are maps of modules by names of the user's own."""
OTHER_KINDS = {"weight": "weight", "schedules": "schedule"}
"""Arguments whose modules are of another kind than the module they belong to."""


@dataclass
class Part:
    """A module to be made: its class and its arguments, each with its place."""

    name: str
    cls: type
    kind: str
    arguments: dict[str, Any]
    place: str

    @property
    def known(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return {} if self.name in PLAIN else dict(signature(self.cls).parameters)

    @property
    def open(self) -> bool:
        """Whether it takes keywords of any name."""
        return any(p.kind is p.VAR_KEYWORD for p in self.known.values())

    def names(self) -> list[str]:
        """The names of the arguments."""
        return [*PLAIN[self.name][1]] if self.name in PLAIN else list(self.known)


class Reader:
    """Reads modules; `custom` are classes beside the library's."""

    def __init__(self, custom: Iterable[type] = ()) -> None:
        self.custom = tuple(custom)
        mine = {f"custom.{cls.__name__}": cls for cls in self.custom}
        torch_modules = {name: cls for name, (cls, _) in PLAIN.items()}
        self.classes: dict[str, type] = {**library(), **mine, **torch_modules}

    def find(self, name: str, kind: str) -> str | None:
        """The full id of a class, given in full or by its name within a kind."""
        if name in self.classes:
            return name
        for full in (f"{kind}.{name}", f"custom.{name}"):
            if full in self.classes:
                return full
        return None

    def module(self, node: Node, kind: str) -> Part:
        """The module that a node stands for. Errors: none of that name, an unknown argument."""
        value = node.value
        if isinstance(value, str):
            return self._part(value, {}, kind, node.place)
        if isinstance(value, dict) and "id" in value:
            named = value["id"]
            if not isinstance(named.value, str):
                raise FileError(f"{named.place}: id: expected a name like {kind}.X; got {named}.")
            rest = {key: item for key, item in value.items() if key not in ("id", "version")}
            self._version(value.get("version"), named.value)
            return self._part(named.value, rest, kind, named.place)
        if isinstance(value, dict) and len(value) == 1:
            ((name, inner),) = value.items()
            if inner.value is not None and not isinstance(inner.value, dict):
                raise FileError(
                    f"{inner.place}: {name}: expected its arguments as a map, such as "
                    f"{{{name}: {{argument: value}}}}; got {inner}."
                )
            return self._part(name, inner.value or {}, kind, inner.place)
        raise FileError(
            f"{node.place}: expected a {kind} module, as Name, {{Name: {{argument: value}}}} or "
            f"{{id: {kind}.Name, argument: value}}; got {node}."
        )

    def _version(self, node: Node | None, name: str) -> None:
        """Arguments of an older version would need the file's own reader."""
        found = self.classes.get(name)
        if node is not None and found is not None and node.value != getattr(found, "version", 1):
            raise FileError(
                f"{node.place}: {name}: version {node}, this library has "
                f"{getattr(found, 'version', 1)}. Remove the version and look at its arguments."
            )

    def _part(self, given: str, nodes: dict[str, Node], kind: str, place: str) -> Part:
        name = self.find(given, kind)
        if name is None:
            short = [full.split(".", 1)[1] for full in self.classes if full.startswith(f"{kind}.")]
            mine = [cls.__name__ for cls in self.custom]
            raise FileError(
                f"{place}: no {kind} module is called {given!r}; there are "
                f"{', '.join(sorted(short + mine))}.{suggest(given.split('.')[-1], short + mine)}"
            )
        part = Part(name, self.classes[name], kind, {}, place)
        for key, node in nodes.items():
            self.assign(part, key, node)
        return part

    def assign(self, part: Part, key: str, node: Node) -> None:
        """Set one argument of a module. Errors: an unknown argument, a wrong type."""
        names = part.names()
        if key not in names and not part.open:
            raise FileError(
                f"{node.place}: {part.name} has no argument {key!r}; it takes "
                f"{', '.join(names) or 'none'}.{suggest(key, names)}"
            )
        hint = hints(part.cls).get(key)
        part.arguments[key] = self._value(node, part, key, hint)

    def _value(self, node: Node, part: Part, key: str, hint: Any) -> Any:
        kind = OTHER_KINDS.get(key, part.kind)
        if isinstance(node.value, dict) and key in MAPS:
            return {name: self.module(item, kind) for name, item in node.value.items()}
        if node.value is not None and wants_module(hint):
            return self.module(node, kind)
        found = self._inner(node, kind, hint)
        if isinstance(found, Node) and part.name not in PLAIN:
            value = typed(part.cls, key, found.plain(), f"{node.place}: {part.name}.{key}")
            return Checked(value, found)
        return found

    def _inner(self, node: Node, kind: str, hint: Any) -> Any:
        """A module, a list or map that holds some, or the node itself."""
        value = node.value
        if isinstance(value, dict):
            (first, *more) = value or [""]
            if "id" in value or (not more and self.find(first, kind) is not None):
                return self.module(node, kind)
            inner = {key: self._inner(item, kind, None) for key, item in value.items()}
            return inner if any(not isinstance(v, Node) for v in inner.values()) else node
        if isinstance(value, list):
            items = [self._inner(item, kind, hint) for item in value]
            return items if any(not isinstance(v, Node) for v in items) else node
        words = isinstance(value, str) and not takes_words(hint)
        return self.module(node, kind) if words and self.find(str(value), kind) else node


@dataclass(frozen=True)
class Checked:
    """A plain value of the type its argument declares, and where it stands."""

    value: Any
    node: Node

    @property
    def place(self) -> str:
        """Where it stands."""
        return self.node.place


def takes_words(hint: Any) -> bool:
    """Whether a type has strings among its values."""
    return hint is str or any(takes_words(arg) for arg in typing.get_args(hint))


def wants_module(hint: Any) -> bool:
    """Whether a type's only values are modules, and perhaps None."""
    options = [arg for arg in typing.get_args(hint) or (hint,) if arg is not type(None)]
    origins = [typing.get_origin(arg) or arg for arg in options]
    return bool(origins) and all(isinstance(o, type) and issubclass(o, Component) for o in origins)


def build(value: Any, custom: Iterable[type] = ()) -> Any:
    """The modules of a value, made. Errors: those of the constructors, with their place."""
    if isinstance(value, Checked):
        return value.value
    if isinstance(value, Node):
        return value.plain()
    if isinstance(value, list):
        return [build(item, custom) for item in value]
    if isinstance(value, dict):
        return {key: build(item, custom) for key, item in value.items()}
    if not isinstance(value, Part):
        return value
    arguments = {key: build(item, custom) for key, item in value.arguments.items()}
    try:
        return build_plain({"id": value.name, **arguments}, {}, value.name, custom)
    except DiffusionError as error:
        raise type(error)(f"{blamed(value, str(error))}: {error}") from error


def blamed(part: Part, message: str) -> str:
    """The place of the argument that a message names as `Class.argument`, or of the module."""
    for name in re.findall(rf"\b{part.cls.__name__}\.(\w+)", message):
        found = part.arguments.get(name)
        node = found.node if isinstance(found, Checked) else found
        if isinstance(node, (Node, Part)):
            return node.place
    return part.place
