"""Conditions of several kinds as one, each read by a block of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor

from .. import tree
from ..errors import InputError, MismatchError
from ..net.beside import OWN
from . import kind
from .base import Block
from .flow import beside
from .pipeline import Composite, is_block
from .port import Port, Ports
from .run import Place, run


class Conditions(Composite):
    """Joins what blocks make of their inputs into one condition; any of them may be missing.

        told = Conditions(y=Classes(model), text=Words(), style=Reference())
        Pipeline(told=told, denoise=Denoise(model), decode=Decode(model))(text="seven", batch=4)

    Args:
        encoders: blocks by the names that the network gives to their conditions (see
            `net.Conditioned`; "y" is its own). Each makes one tensor `[n, ...]`.

    A block runs when all inputs that it needs are given. `conditions` is a dict of what they made,
    without the others: for them the network has nothing to attend to. If all are missing, it is
    the network's own null condition. One row serves as many as the others have.
    """

    def __init__(self, **encoders: Block) -> None:
        if not encoders:
            raise InputError("Conditions: expected at least one block, such as text=...")
        for name, block in encoders.items():
            is_block("Conditions", name, block)
        self.encoders = encoders
        inputs, made = beside(encoders)
        for name, ports in made.items():
            _single(name, ports)
        joined = {key: _optional(port) for key, port in inputs.items()}
        self._ports = Ports(joined, {"conditions": Port(dict)}, single=True)

    def children(self) -> dict[str, Block]:
        return dict(self.encoders)

    def run(self, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, block in self.encoders.items():
            asked = _asked(block, given)
            if asked is not None:
                (made[name],) = run(block, asked, at / name).values()
        if not made:
            return {"conditions": {OWN: torch.zeros(1, dtype=torch.long)}}
        return {"conditions": _together(made)}

    def foresee(self, given: Mapping[str, Any]) -> None:
        for block in self.encoders.values():
            asked = _asked(block, given)
            if asked is not None:
                block.foresee(asked)

    def _with(self, changes: dict[str, Any]) -> Self:
        return type(self)(**{**self.encoders, **changes})


def _asked(block: Block, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """A block's inputs, or None where one that it needs is missing."""
    inputs = block.ports().inputs
    asked = {key: given[key] for key in inputs if given.get(key) is not None}
    needed = [key for key, port in inputs.items() if port.required] or list(inputs)
    there = [key for key in needed if key in asked]
    if there and len(there) < len(needed):
        lost = next(key for key in needed if key not in asked)
        raise InputError(f"Conditions: {there[0]} is given without {lost} ({inputs[lost]}).")
    return asked if there else None


def _together(made: dict[str, Any]) -> dict[str, Any]:
    """All of as many rows: those of one row are repeated."""
    sizes = {name: tree.size(value) for name, value in made.items()}
    count = max(sizes.values())
    for name, size in sizes.items():
        if size not in (1, count):
            raise InputError(
                f"Conditions: {name} has {size} rows, where there are {count}: give one, or one "
                "for each sample."
            )

    def rows(value: Tensor) -> Tensor:
        return value if len(value) == count else value.expand(count, *value.shape[1:])

    return {name: tree.map(rows, value) for name, value in made.items()}


def _single(name: str, outputs: Mapping[str, Port]) -> None:
    if len(outputs) != 1:
        raise MismatchError(
            f"Conditions.{name}: expected a block that makes one condition; it makes "
            f"{', '.join(outputs) or 'nothing'}."
        )
    ((key, port),) = outputs.items()
    if not (kind.fits(port.type, Tensor) or kind.fits(port.type, dict)):
        raise MismatchError(f"Conditions.{name}: {key} must be a tensor [b, ...]; got {port}.")


def _optional(port: Port) -> Port:
    return port._replace(type=port.type | None, default=None) if port.required else port
