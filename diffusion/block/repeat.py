"""A block run many times: over and over on its own outputs, or once for each of many items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError, MismatchError, require, suggest
from . import kind
from .base import Block
from .flow import whole
from .many import many
from .pipeline import Composite, is_block
from .port import Ports
from .run import BlockError, Made, Place, run
from .shape import alike, either


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
            if not kind.fits(port.type, read.type) or not alike(port.shape, read.shape):
                raise MismatchError(f"Repeat: {key} is made as {port}, and read again as {read}.")
        self._ports = ports if times == 1 else _again(ports)

    def children(self) -> dict[str, Block]:
        return {"block": self.block}

    def run(self, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
        values = dict(given)
        for index in range(self.times):
            values |= run(self.block, values, at / str(index))
        return {key: values[key] for key in self._ports.outputs}

    def foresee(self, given: Mapping[str, Any]) -> None:
        self.block.foresee(given)


class Map(Composite):
    """A block for each item of some inputs, and its outputs together again.

    Args:
        over: an input that is split, or several: a list into its items, a tensor along its first
            axis into batches of one. The others are the same every time.

    Outputs that are tensors are joined along the first axis; others make a list.
    """

    def __init__(self, block: Block, over: str | Sequence[str]) -> None:
        is_block("Map", "block", block)
        self.block, self.over = block, (over,) if isinstance(over, str) else tuple(over)
        ports = whole(block)
        require(bool(self.over), "Map.over", "the name of an input", "none")
        for key in self.over:
            if key not in ports.inputs:
                raise InputError(
                    f"Map.over: {type(block).__name__} has no input {key!r}; it has "
                    f"{', '.join(ports.inputs)}.{suggest(key, ports.inputs)}"
                )
        self._ports = many(ports, self.over)
        self._joined = {k for k, port in ports.outputs.items() if kind.fits(port.type, Tensor)}

    def children(self) -> dict[str, Block]:
        return {"block": self.block}

    def run(self, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
        counts = self._counts(given)
        rows: list[dict[str, Any]] = []
        for index in range(next(iter(counts.values()))):
            item = {key: _item(value, index) if key in counts else value
                    for key, value in given.items()}  # fmt: skip
            try:
                rows.append(run(self.block, item, at / str(index)))
            except BlockError as error:
                error.values = {**_columns(rows), **error.values}
                raise
        return self._together(rows)

    def foresee(self, given: Mapping[str, Any]) -> None:
        ports = self.block.ports().inputs
        if not any(isinstance(given.get(key), Made) for key in self.over):
            self._counts(given)
        each = {key: Made(ports[key].type) for key in self.over if given.get(key) is not None}
        self.block.foresee({**given, **each})

    def _counts(self, given: Mapping[str, Any]) -> dict[str, int]:
        """How many items there are of each input."""
        counts = {key: _count(key, given[key]) for key in self.over if given.get(key) is not None}
        if len(set(counts.values())) != 1 or not all(counts.values()):
            said = ", ".join(f"{key} has {count}" for key, count in counts.items())
            raise InputError(
                f"Map: expected as many items of each, at least one; {said or 'none'}."
            )
        return counts

    def _together(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        made = _columns(rows)
        return {key: _joined(key, v) if key in self._joined else v for key, v in made.items()}


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}


def _count(key: str, value: Any) -> int:
    scalar = isinstance(value, str) or (isinstance(value, Tensor) and value.ndim == 0)
    if scalar or not (isinstance(value, Sequence) or hasattr(value, "__array__")):
        raise InputError(f"Map: expected many of {key}, in a list or tensor; got {value!r:.100}.")
    return len(value)


def _item(value: Any, index: int) -> Any:
    return value[index : index + 1] if isinstance(value, Tensor) else value[index]


def _joined(key: str, values: list[Any]) -> Any:
    if not all(isinstance(one, Tensor) for one in values):
        return values
    try:
        return torch.cat(values)
    except RuntimeError as error:
        shapes = ", ".join(str(list(one.shape)) for one in values)
        raise InputError(f"Map: {key} of the items can't be joined: {shapes}: {error}") from error


def _again(ports: Ports) -> Ports:
    """Those of a block that ran on its own outputs: sizes that it changes may be any."""
    named = [port.shape for side in (ports.inputs, ports.outputs) for port in side.values()]
    taken = {size for shape in named if shape for size in shape.sizes if isinstance(size, str)}
    outputs = {
        key: port._replace(shape=either(ports.inputs[key].shape, port.shape, taken))
        for key, port in ports.outputs.items()
    }
    return ports._replace(outputs=outputs)
