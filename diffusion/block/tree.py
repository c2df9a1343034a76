"""The blocks inside a block, and the models and modules that they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from ..component import Component, arguments
from ..model import Model
from .base import Block
from .wired import Wired

Path = tuple[str, ...]


def bare(block: Block) -> Block:
    """What is bound or renamed, without its wires."""
    return block.block if isinstance(block, Wired) else block


def walk(block: Block, place: Path = ()) -> Iterator[tuple[Path, Block]]:
    """Every block by its place, from the outside in; wires are no place."""
    yield place, block
    for name, inner in bare(block).children().items():
        yield from walk(inner, (*place, name))


def held(block: Block) -> list[tuple[str, Any]]:
    """The models, networks and modules among the arguments of all blocks, each once, by place."""
    found: dict[int, tuple[str, Any]] = {}
    for place, one in walk(block):
        for name, value in _own(one):
            found.setdefault(id(value), (".".join([*place, name]), value))
    return list(found.values())


def _own(block: Block) -> Iterator[tuple[str, Any]]:
    values = dict(block.bound) if isinstance(block, Wired) else {}
    for name, value in {**values, **arguments(bare(block))}.items():
        yield from _inside(value, name)


def _inside(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Block):
        return
    if isinstance(value, (Model, Component, nn.Module)):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _inside(item, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _inside(item, f"{name}.{index}")
