"""The ports of a block that runs once for each of many items."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..errors import MismatchError
from . import kind
from .port import Port, Ports
from .shape import Shape

ITEMS = "items"


def many(ports: Ports, over: Sequence[str]) -> Ports:
    """Those of a block whose inputs `over` are split, and whose outputs are joined again.

    Errors: a tensor that is split is read as more than one.
    """
    ones = set[int | str]([1])
    for key in over:
        port = ports.inputs[key]
        first = port.shape.sizes[:1] if _tensor(port) and port.shape else ()
        if first and isinstance(first[0], int) and first[0] != 1:
            raise MismatchError(
                f"Map: an item of {key} is a batch of one, and the block reads it as {port}."
            )
        ones.update(first)
    inputs = {
        key: _input(port, ones) if key in over else port._replace(shape=_one(port.shape, ones))
        for key, port in ports.inputs.items()
    }
    outputs = {key: _output(key, port, ones) for key, port in ports.outputs.items()}
    return Ports(inputs, outputs, ports.single)


def _input(port: Port, ones: set[int | str]) -> Port:
    if _tensor(port):
        return port._replace(shape=_first(ITEMS, port.shape, ones))
    many: Any = types.GenericAlias(Sequence, (port.type,))
    return Port(many if port.required else many | None, None, port.default)


def _output(key: str, port: Port, ones: set[int | str]) -> Port:
    if not kind.fits(port.type, Tensor):
        return Port(types.GenericAlias(Sequence, (port.type,)))
    same = port.shape is not None and bool(port.shape.sizes) and port.shape.sizes[0] in ones
    return port._replace(shape=_first(ITEMS if same else f"{key}_{ITEMS}", port.shape, ones))


def _tensor(port: Port) -> bool:
    return kind.fits(port.type, Tensor | None)


def _one(shape: Shape | None, ones: set[int | str]) -> Shape | None:
    """A shape where the names of batches of one are 1."""
    if shape is None:
        return None
    return Shape(tuple(1 if size in ones else size for size in shape.sizes), shape.open)


def _first(name: str, shape: Shape | None, ones: set[int | str]) -> Shape | None:
    """The shape of many, by that name, along the first axis."""
    inner = _one(shape, ones)
    return inner and Shape((name, *inner.sizes[1:]), inner.open)
