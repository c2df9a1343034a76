"""A block whose ports are called otherwise, or given for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..component import arguments, same
from ..errors import InputError, MismatchError, suggest
from . import kind
from .base import Block
from .pipeline import Composite
from .port import Port, Ports
from .port import name as called
from .run import Place
from .shape import fits


class Wired(Composite):
    """`block.bind(...)` and `block.rename(...)`.

    Args:
        block: the block. names: new names by its own; bound: values by its own names.
    """

    def __init__(
        self, block: Block, names: Mapping[str, str] | None = None,
        bound: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        names, bound = dict(names or {}), dict(bound or {})
        if isinstance(block, Wired):  # its own names are known outside by others
            for key in names:
                _there(block, key, block.ports())
            for key in bound:
                _input(block, key, block.ports())
            names = {**block.names, **block.own(names)}
            bound = {**block.own(bound), **block.bound}
            block = block.block
        self.block: Block = block
        self.names: dict[str, str] = names
        self.bound: dict[str, Any] = bound
        inner = block.ports()
        for key in names:
            _there(block, key, inner)
        self._sizes = dict(block.sizes())
        for key, value in bound.items():
            _bindable(block, key, value, inner, self._sizes)
        inputs = _renamed({k: p for k, p in inner.inputs.items() if k not in bound}, names, block)
        self._ports = Ports(inputs, _renamed(inner.outputs, names, block), inner.single)
        self._inner = {names.get(key, key): key for key in inner.inputs if key not in bound}

    def sizes(self) -> dict[str, int]:
        return self._sizes

    def own(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by the block's own names, which are known outside by others."""
        ports = self.block.ports()
        names = {**ports.inputs, **ports.outputs}
        free = [key for key in names if key in ports.outputs or key not in self.bound]
        there = {key: self.names.get(key, key) for key in free}
        return {key: values[name] for key, name in there.items() if name in values}

    def children(self) -> dict[str, Block]:
        return {"block": self.block}

    def run(self, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
        made = self.block.run(self._inside(given), at)
        return {self.names.get(name, name): value for name, value in made.items()}

    def foresee(self, given: Mapping[str, Any]) -> None:
        self.block.foresee(self._inside(given))

    def _inside(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {**{self._inner[name]: value for name, value in given.items()}, **self.bound}

    def replace(self, changes: Mapping[str, Any] | None = None, **named: Any) -> Wired:
        """With the block, or fields of it, replaced; its wires stay. `block.by` is `by`."""
        inner = {self._path(key): value for key, value in {**(changes or {}), **named}.items()}
        block = inner.pop("block", self.block)
        return Wired(block.replace(inner) if inner else block, self.names, self.bound)

    def _path(self, path: str) -> str:
        """A path as the block knows it."""
        first, _, rest = path.partition(".")
        parts = {**arguments(self.block), **self.block.children()}
        through = first == "block" and ("block" not in parts or rest.partition(".")[0] in parts)
        return rest if through and rest else path

    def __eq__(self, other: object) -> bool:
        """Whether block and wires are equal, however they were put together."""
        if not isinstance(other, Wired) or self.block != other.block:
            return False
        return self.names == other.names and same(self.bound, other.bound)

    __hash__ = Composite.__hash__

    def __getitem__(self, name: str) -> Any:
        return self.block if name == "block" else self.block[name]


def _there(block: Block, key: str, ports: Ports) -> None:
    known = {**ports.inputs, **ports.outputs}
    if key not in known:
        raise InputError(
            f"{type(block).__name__} has no port {key!r}; it has {', '.join(known) or 'none'}."
            f"{suggest(key, known)}"
        )


def _input(block: Block, key: str, ports: Ports) -> None:
    if key not in ports.inputs:
        raise InputError(
            f"{type(block).__name__}.bind: there is no input {key!r}; there are "
            f"{', '.join(ports.inputs) or 'none'}.{suggest(key, ports.inputs)}"
        )


def _bindable(block: Block, key: str, value: Any, ports: Ports, sizes: dict[str, int]) -> None:
    name = type(block).__name__
    _input(block, key, ports)
    port = ports.inputs[key]
    if not kind.holds(value, port.type):
        raise InputError(
            f"{name}.bind: {key} is {called(port.type)}; got {type(value).__name__}: "
            f"{value!r:.100}."
        )
    if port.shape is not None and hasattr(value, "shape"):
        reason = fits(port.shape, tuple(value.shape), sizes)
        if reason is not None:
            raise InputError(f"{name}.bind: {key}: got {reason}.")


def _renamed(ports: Mapping[str, Port], names: Mapping[str, str], block: Block) -> dict[str, Port]:
    made: dict[str, Port] = {}
    for key, port in ports.items():
        new = names.get(key, key)
        if new in made:
            raise MismatchError(
                f"{type(block).__name__}.rename: two ports would be called {new!r}."
            )
        if not isinstance(new, str) or not new.isidentifier():
            raise InputError(f"{type(block).__name__}.rename: {new!r} is no name.")
        made[new] = port
    return made
