"""A composition as a drawing: which block feeds which, and what is given from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..component import arguments, same, signature
from ..model import Model
from .base import Block
from .branch import Branch
from .parallel import Parallel
from .wired import Wired

NOTE = 48
"""Characters of a block's settings."""


@dataclass
class Link:
    """Values that one box makes and another reads."""

    maker: str
    reader: str
    values: list[str]


@dataclass
class Box:
    """A block as it is drawn.

    Attributes:
        name: within its composition. kind: its class. note: its settings.
        given: inputs that no box beside it makes; outer: outputs of the composition it is in.
        optional: how many more inputs it could be given. across: whether the boxes in it do not
            feed each other.
    """

    name: str
    kind: str
    note: str
    given: list[str] = field(default_factory=list)
    optional: int = 0
    outer: list[str] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    across: bool = False


def box(block: Block, name: str = "") -> Box:
    """A block with all that is inside it."""
    inner = block.block if isinstance(block, Wired) else block
    note = _note(inner, dict(block.bound) if isinstance(block, Wired) else {})
    made = Box(name, type(inner).__name__, note, across=isinstance(inner, (Parallel, Branch)))
    makers: dict[str, str] = {}
    for key, child in inner.children().items():
        one = box(child, key)
        _connect(made, one, child, {} if made.across else makers)
        made.boxes.append(one)
        makers |= dict.fromkeys(child.ports().outputs, key)
    outputs = inner.ports().outputs
    for one, child in zip(made.boxes, inner.children().values(), strict=True):
        own = [value for value in child.ports().outputs if value in outputs]
        one.outer = own if made.across else [v for v in own if makers[v] == one.name]
    return made


def _connect(into: Box, one: Box, block: Block, makers: dict[str, str]) -> None:
    """Find out where a block's inputs come from."""
    links: dict[str, Link] = {}
    for value, port in block.ports().inputs.items():
        maker = makers.get(value)
        if maker is not None:
            links.setdefault(maker, Link(maker, one.name, [])).values.append(value)
        elif port.required:
            one.given.append(value)
        else:
            one.optional += 1
    into.links += links.values()


def _note(block: Block, bound: dict[str, Any]) -> str:
    """The settings that are not the usual ones, and the model's network."""
    known, said = signature(type(block)).parameters, list[str]()
    for name, value in {**arguments(block), **bound}.items():
        if isinstance(value, Model):
            said.append(type(value.net).__name__)
        elif isinstance(value, (Block, dict)) or (
            name in known and same(value, known[name].default)
        ):
            continue
        else:
            shown = value if isinstance(value, str) else f"{value!r}"
            said.append(f"{name}={' '.join(shown.split())}")
    text = ", ".join(said)
    return text if len(text) <= NOTE else f"{text[: NOTE - 3]}..."


def outline(block: Block) -> str:
    """The names, kinds and settings of a block and of all that is inside it, as indented lines."""
    return "\n".join(_outlined(box(block), 0))


def _outlined(one: Box, depth: int) -> Iterator[str]:
    name = f"{one.name}: " if one.name else ""
    yield f"{'  ' * depth}{name}{one.kind}" + (f"({one.note})" if one.note else "")
    for inner in one.boxes:
        yield from _outlined(inner, depth + 1)


def mermaid(block: Block) -> str:
    """The drawing as a Mermaid flowchart, as GitHub and many editors show it."""
    root = box(block)
    if not root.boxes:
        root = Box("", "", "", boxes=[_alone(block)])
    return "\n".join(["flowchart TD", *_mermaid(root, "b", 1)]) + "\n"


def svg(block: Block) -> str:
    """The drawing as one SVG."""
    from .svg import draw

    root = box(block)
    return draw(root if root.boxes else _alone(block))


def _alone(block: Block) -> Box:
    one = box(block, type(block).__name__)
    ports = block.ports()
    one.given = [name for name, port in ports.inputs.items() if port.required]
    one.optional, one.outer = len(ports.inputs) - len(one.given), list(ports.outputs)
    return one


def _mermaid(inside: Box, path: str, depth: int) -> Iterator[str]:
    indent = "  " * depth
    ids = {one.name: f"{path}{index}" for index, one in enumerate(inside.boxes)}
    for one in inside.boxes:
        name = ids[one.name]
        label = f"{one.name}<br/>{one.kind}" + (f"<br/>{one.note}" if one.note else "")
        if one.boxes:
            yield f'{indent}subgraph {name}["{_escaped(label)}"]'
            yield from _mermaid(one, f"{name}_", depth + 1)
            yield f"{indent}end"
        else:
            yield f'{indent}{name}["{_escaped(label)}"]'
        if depth == 1:
            for value in one.given:
                yield f'{indent}{name}_in_{value}(["{value}"]) --> {name}'
            for value in one.outer:
                yield f'{indent}{name} --> {name}_out_{value}(["{value}"])'
    for link in inside.links:
        values = ", ".join(link.values)
        yield f'{indent}{ids[link.maker]} -->|"{values}"| {ids[link.reader]}'


def _escaped(text: str) -> str:
    marks = {"&": "#amp;", '"': "#quot;", "[": "#91;", "]": "#93;", "{": "#123;", "}": "#125;"}
    return "".join(marks.get(letter, letter) for letter in text)
