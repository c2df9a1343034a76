"""A block run many times: over and over on its own outputs, or once for each of many items."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError, MismatchError, require
from . import kind
from .base import Block
from .flow import whole
from .pipeline import Composite, is_block
from .port import Port, Ports
from .run import BlockError, Place, run
from .shape import Shape


class Repeat(Composite):
    """A block `times` over: what it makes is what it reads the next time.

    Each output has the name of an input; the last time's are those of the whole.
    """

    def __init__(self, block: Block, times: int) -> None:
        is_block("Repeat", "block", block)
        require(isinstance(times, int) and times >= 1, "Repeat.times", "at least 1", times)
        self.block, self.times, ports = block, times, whole(block)
        for key, port in ports.outputs.items():
            read = ports.inputs.get(key)
            if read is None:
                raise MismatchError(
                    f"Repeat: {type(block).__name__} makes {key}, which it does not read: only the "
                    f"last would stay. It reads {', '.join(ports.inputs)}."
                )
            if not kind.fits(port.type, read.type):
                raise MismatchError(f"Repeat: {key} is made as {port}, and read again as {read}.")
        self._ports = ports

    def children(self) -> dict[str, Block]:
        return {"block": self.block}

    def run(self, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
        values = dict(given)
        for index in range(self.times):
            values |= run(self.block, values, at / str(index))
        return {key: values[key] for key in self._ports.outputs}


class Map(Composite):
    """A block for each item of some inputs, and its outputs together again.

    Args:
        over: inputs that are split: a list into its items, a tensor along its first axis into
            batches of one. The others are the same every time.

    Outputs that are tensors are joined along the first axis; others make a list.
    """

    def __init__(self, block: Block, over: Sequence[str]) -> None:
        is_block("Map", "block", block)
        self.block, self.over = block, (over,) if isinstance(over, str) else tuple(over)
        ports = whole(block)
        require(bool(self.over), "Map.over", "the name of an input", "none")
        for key in self.over:
            if key not in ports.inputs:
                raise InputError(
                    f"Map.over: {type(block).__name__} has no input {key!r}; it has "
                    f"{', '.join(ports.inputs)}."
                )
        inputs = {
            key: _many(port) if key in self.over else port for key, port in ports.inputs.items()
        }
        outputs = {key: _many(port) for key, port in ports.outputs.items()}
        self._ports = Ports(inputs, outputs, ports.single)

    def children(self) -> dict[str, Block]:
        return {"block": self.block}

    def run(self, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
        counts = {key: len(given[key]) for key in self.over if given.get(key) is not None}
        if len(set(counts.values())) != 1 or not all(counts.values()):
            said = ", ".join(f"{key} has {count}" for key, count in counts.items())
            raise InputError(
                f"Map: expected as many items of each, at least one; {said or 'none'}."
            )
        rows: list[dict[str, Any]] = []
        for index in range(next(iter(counts.values()))):
            item = {key: _item(value, index) if key in counts else value
                    for key, value in given.items()}  # fmt: skip
            try:
                rows.append(run(self.block, item, at / str(index)))
            except BlockError as error:
                error.values = {**_together(rows), **error.values}
                raise
        return _together(rows)


def _many(port: Port) -> Port:
    """The port of many: tensors have them along their first axis."""
    if kind.fits(port.type, Tensor) or kind.fits(port.type, Tensor | None):
        sizes = None if port.shape is None else ("items", *port.shape.sizes[1:])
        shape = None if sizes is None or port.shape is None else Shape(sizes, port.shape.open)
        return Port(port.type, shape, port.default)
    many: Any = types.GenericAlias(Sequence, (port.type,))
    return Port(many if port.required else many | None, None, port.default)


def _item(value: Any, index: int) -> Any:
    return value[index : index + 1] if isinstance(value, Tensor) else value[index]


def _together(rows: list[dict[str, Any]]) -> dict[str, Any]:
    if not rows:
        return {}
    made = {key: [row[key] for row in rows] for key in rows[0]}
    return {
        key: torch.cat(values) if all(isinstance(one, Tensor) for one in values) else values
        for key, values in made.items()
    }
