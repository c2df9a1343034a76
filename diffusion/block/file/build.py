"""Blocks and modules of plain data, each error with its line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ...component import Component, signature
from ...errors import DiffusionError, FileError, suggest
from ...folder import config
from ...folder.lines import Node
from ...folder.registry import PLAIN, find
from ...folder.typed import hints, typed
from .. import kind
from ..base import Block
from ..wired import Wired
from .plain import names_model

if TYPE_CHECKING:
    from .models import Models


class Builder:
    """Makes blocks of nodes. `found` are the classes that it came across, by their ids."""

    def __init__(self, models: Models, custom: Iterable[type]) -> None:
        self.models, self.custom = models, tuple(custom)
        self.found: dict[str, type[Component]] = {}
        models.builder = self

    def value(self, node: Node, hint: Any = Any) -> Any:
        """The value of a node; `hint` is the type it is to have."""
        value = node.value
        if isinstance(value, str) and names_model(hint):
            return self.models.get(value, node.place)
        if isinstance(value, list):
            return tuple(self.value(item) for item in value)
        if not isinstance(value, dict):
            return value
        marked = self._marked(value) if len(value) == 1 else None
        if marked is not None:
            return marked
        if "id" in value:
            return self._component(dict(value), node.place)
        return {key: self.value(item) for key, item in value.items()}

    def _marked(self, value: dict[str, Node]) -> Any:
        """What a map of one item stands for, or None: a model, a tensor, a map as it is."""
        ((key, node),) = value.items()
        if key == "model" and isinstance(node.value, str):
            return self.models.get(node.value, node.place)
        if key == "tensor" and isinstance(node.value, str):
            return self.models.tensor(node.value, node.place)
        if key == "map" and isinstance(node.value, dict):
            return {name: self.value(item) for name, item in node.value.items()}
        return None

    def _component(self, nodes: dict[str, Node], place: str) -> Any:
        """A component: its class by id, its arguments of the version that the class has."""
        named, version = nodes.pop("id"), nodes.pop("version", None)
        name = named.value
        if not isinstance(name, str):
            raise FileError(f"{named.place}: id: expected a name, block.Decode say; got {named}.")
        if name in PLAIN:
            return config.build({"id": name, **_plain(nodes)}, {}, named.place)
        cls = self._class(name, named.place)
        return self.made(cls, self._current(cls, nodes, version, named.place), named.place)

    def _class(self, name: str, place: str) -> type[Component]:
        short = name.removeprefix("custom.")
        if name != short and short not in [cls.__name__ for cls in self.custom]:
            raise FileError(
                f"{place}: {name!r} is a class of the author's own; pass it: "
                f"Pipeline.load(path, custom=[{short}])."
            )
        try:
            cls = find(name, self.custom, place)
        except FileError as error:
            raise FileError(
                f"{error} Neither this library nor an installed package has it; a class of your "
                "own is custom.Name."
            ) from None
        except Exception as error:  # an installed package that can't be imported
            raise FileError(
                f"{place}: the package that offers {name!r} can't be imported: {error}."
            ) from error
        if not issubclass(cls, Component):
            raise FileError(f"{place}: {name!r} is no component.")
        self.found[name] = cls
        return cls

    def _current(
        self, cls: Any, nodes: dict[str, Node], version: Node | None, place: str
    ) -> dict[str, Node]:
        """Arguments as the class's version takes them; without a version they are current."""
        if version is None or version.value == cls.version:
            return nodes
        if type(version.value) is not int:
            raise FileError(f"{version.place}: version: expected a whole number; got {version}.")
        try:
            plain = cls.migrate(_plain(nodes), version.value)
            return {
                key: nodes[key] if key in nodes and nodes[key].plain() == item else _node(
                    item, version.place) for key, item in plain.items()
            }  # fmt: skip
        except Exception as error:  # the class's own code, about arguments of this file
            raise FileError(f"{version.place}: {error}") from error

    def made(self, cls: type, nodes: dict[str, Node], place: str) -> Any:
        """A component of its arguments."""
        known, hint = signature(cls).parameters, hints(cls)
        for key, node in nodes.items():
            if key not in known:
                raise FileError(
                    f"{node.place}: {cls.__name__} has no argument {key!r}; it takes "
                    f"{', '.join(known) or 'none'}.{suggest(key, known)}"
                )
        given = {key: self._argument(cls, key, node, hint) for key, node in nodes.items()}
        positional, named = list[Any](), dict[str, Any]()
        for key, value in given.items():
            if known[key].kind is known[key].VAR_POSITIONAL:
                positional = list(value)
            elif known[key].kind is known[key].VAR_KEYWORD:
                named |= _named(value, nodes[key], given)
            else:
                named[key] = value
        if positional:
            before = [named.pop(key) for key in list(known) if key in named]
            positional = [*before, *positional]
        try:
            if cls is Wired:
                named = _bound(named)
            return cls(*positional, **named)
        except DiffusionError as error:
            raise FileError(f"{_blamed(nodes, str(error), cls, place)}: {error}") from error
        except Exception as error:  # whatever a constructor says of arguments that came from here
            raise FileError(f"{place}: {cls.__name__}: {error}") from error

    def _argument(self, cls: type, key: str, node: Node, hints: dict[str, Any]) -> Any:
        hint = hints.get(key, Any)
        value = fitting(self.value(node, hint), hint)
        checks = issubclass(cls, Block)  # blocks look at their arguments themselves
        return value if checks else typed(cls, key, value, node.place)


def fitting(value: Any, hint: Any) -> Any:
    """A list where only that is of the type: files know no difference."""
    if isinstance(value, tuple) and not kind.holds(value, hint) and kind.holds([*value], hint):
        return [*value]
    return value


def _bound(named: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `Wired`, whose values are of the types of the block's inputs."""
    ports = named["block"].ports().inputs
    values = named.get("bound") or {}
    fitted = {k: fitting(v, ports[k].type) if k in ports else v for k, v in values.items()}
    return {**named, "bound": fitted} if values else named


def _named(value: Any, node: Node, given: dict[str, Any]) -> dict[str, Any]:
    """Arguments of any name, which must be other than those that have one."""
    if not isinstance(value, dict):
        raise FileError(f"{node.place}: expected a map of blocks by name; got {node}.")
    for key in value:
        if key in given:
            raise FileError(f"{node.place}: nothing in it can be called {key!r}.")
    return value


def _blamed(nodes: dict[str, Node], message: str, cls: type, place: str) -> str:
    """The place of the argument that a message names as `Class.argument`, or of the class."""
    inner = [node.value for node in nodes.values() if isinstance(node.value, dict)]
    every = {key: node for one in (*inner, nodes) for key, node in one.items()}
    found = [node.place for key, node in every.items() if f"{cls.__name__}.{key}:" in message]
    return found[0] if found else place


def _plain(nodes: dict[str, Node]) -> dict[str, Any]:
    return {key: node.plain() for key, node in nodes.items()}


def _node(plain: Any, place: str) -> Node:
    if isinstance(plain, dict):
        return Node({str(key): _node(item, place) for key, item in plain.items()}, place)
    if isinstance(plain, (list, tuple)):
        return Node([_node(item, place) for item in plain], place)
    return Node(plain, place)
