"""Inputs for a block, invented from its ports."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import torch
from torch import Tensor

from ..component import arguments
from ..errors import InputError
from ..model import Model
from . import kind
from .base import Block
from .port import Port
from .wired import Wired

BATCH, CHANNELS, SIDE = 2, 3, 16
WORDS = ["a cat", "a house by the sea"]


def invent(block: Block) -> dict[str, Any]:
    """Values for all inputs that must be given, and for `seed` and `batch`. Seeded by the caller.

    Errors: an input of a type that no value can be invented for.
    """
    ports = block.ports().inputs
    return {
        name: _value(block, name, port)
        for name, port in ports.items()
        if port.required or name in ("seed", "batch")
    }


def _value(block: Block, name: str, port: Port) -> Any:
    """A value as the innermost block that reads it wants it."""
    if isinstance(block, Wired):
        own = {new: old for old, new in block.names.items()}.get(name, name)
        return _value(block.block, own, block.block.ports().inputs[own])
    for inner in block.children().values():
        ports = inner.ports().inputs
        if name in ports:
            return _value(inner, name, ports[name])
    fixed = {"seed": 0, "batch": BATCH}.get(name)
    if fixed is not None and kind.holds(fixed, port.type):
        return fixed
    if port.type is not Any and kind.holds(WORDS, port.type):
        return list(WORDS)
    if kind.holds(torch.empty(1), port.type):
        return _tensor(block, name, port)
    return _plain(name, port)


def _tensor(block: Block, name: str, port: Port) -> Tensor:
    model = next((one for one in arguments(block).values() if isinstance(one, Model)), None)
    if port.shape is not None:
        known = {"b": BATCH, "c": CHANNELS, **block.sizes()}
        sizes = [one if isinstance(one, int) else known.get(one, SIDE) for one in port.shape.sizes]
        made = torch.randn(sizes)
        return made if model is None else made.to(model.device)
    if model is not None and isinstance(model.shape, tuple):
        with torch.no_grad():
            state = model.cast(torch.randn(BATCH, *model.shape, device=model.device))
            item = model.data.decode(state)
        if isinstance(item, Tensor):
            return item
    if port.type is Any:
        raise _unknown(name, port)
    return torch.randn(BATCH, CHANNELS, SIDE, SIDE)


def _plain(name: str, port: Port) -> Any:
    if get_origin(port.type) is Literal:
        return get_args(port.type)[0]
    values: tuple[Any, ...] = (WORDS[0], 0.5, 2, True, [], {})
    for value in values:
        exact = not isinstance(value, (bool, int)) or kind.fits(type(value), port.type)
        if exact and kind.holds(value, port.type):
            return value
    raise _unknown(name, port)


def _unknown(name: str, port: Port) -> InputError:
    return InputError(
        f"{name}: no value can be invented for {port}; give recorded inputs (--inputs FOLDER)."
    )
