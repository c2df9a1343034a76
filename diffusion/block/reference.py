"""A pipeline as a page of Markdown: what it reads and makes, and every block in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ..component import arguments
from ..docstring import prose
from ..folder.registry import name_of
from ..model import Model
from .base import Block
from .drawing import mermaid
from .port import Port, Ports, name
from .tree import bare, held, walk
from .wired import Wired

Row = tuple[str, ...]


def page(block: Block, title: str) -> str:
    """The page: ports, a drawing, every block with its docstring, settings and ports, weights."""
    inner = list(walk(block))[1:]
    parts = [f"# {title}", f"A {kind(block)}."]
    parts += [tables(block.ports())] if inner else _about(block)
    parts += [f"## Drawing\n\n```mermaid\n{mermaid(block)}```"]
    parts += ["## Blocks"] if inner else []
    for place, one in inner:
        parts += [f"### {'.'.join(place)}", f"A {kind(one)}.", *_about(one)]
    weights = table(("network", "parameters", "memory", "from"), weighed(block))
    parts += [f"## Weights\n\n{weights}"] if weights else []
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _about(block: Block) -> list[str]:
    return [prose(type(bare(block))), settings(block), tables(block.ports())]


def kind(block: Block) -> str:
    """The id and version of a block's class, and how it is wired."""
    own = type(bare(block))
    said = f"`{name_of(own)}`, version {own.version}"
    names = block.names.items() if isinstance(block, Wired) else ()
    called = [f"`{old}` called `{new}`" for old, new in names if old != new]
    return f"{said}, with {', '.join(called)}" if called else said


def settings(block: Block) -> str:
    """A table of a block's arguments, and of the inputs that are given for good."""
    inner = bare(block)
    parts = inner.children().values()
    rows = [
        (f"`{key}`", _code(_said(value)))
        for key, value in arguments(inner).items()
        if key != "each" and not any(value is one for one in parts)
    ]
    if isinstance(block, Wired):
        rows += [(f"`{key}`, given", _code(_said(value))) for key, value in block.bound.items()]
    return table(("setting", "value"), rows)


def tables(ports: Ports) -> str:
    """Tables of inputs and outputs."""
    inputs = table(
        ("input", "type", "shape", "default"),
        [(*_port(key, port), _default(port)) for key, port in ports.inputs.items()],
    )
    outputs = table(
        ("output", "type", "shape"), [_port(key, port) for key, port in ports.outputs.items()]
    )
    return "\n\n".join([inputs or "No inputs.", outputs or "No outputs."])


def table(head: Row, rows: Iterable[Row]) -> str:
    """A table of Markdown; empty without rows."""
    every = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in every) if len(every) > 2 else ""


def weighed(block: Block) -> Iterator[Row]:
    """Every model and network once: its network, its size, where it is from."""
    seen = set[int]()
    for _, what in held(block):
        if isinstance(what, Model):
            module, named = what.parts, type(what.net).__name__
            source = "built here" if what.source is None else what.source.place
        elif isinstance(what, nn.Module) and [*what.parameters()]:
            module, named, source = what, type(what).__name__, "in this file"
        else:
            continue
        tensors = [*module.parameters(), *module.buffers()]
        new = [one for one in tensors if one.data_ptr() not in seen]
        seen |= {one.data_ptr() for one in tensors}
        shared = "" if len(new) == len(tensors) else ", shared"
        count = sum(one.numel() for one in module.parameters())
        yield named, f"{count:,}", _size(new) + shared, source


def _size(tensors: Sequence[Tensor]) -> str:
    size = sum(one.numel() * one.element_size() for one in tensors)
    return f"{size / 2**20:,.1f} MiB"


def _port(key: str, port: Port) -> Row:
    return f"`{key}`", _code(name(port.type)), _code(str(port.shape)) if port.shape else ""


def _default(port: Port) -> str:
    return "must be given" if port.required else _code(repr(port.default))


def _said(value: Any) -> str:
    if isinstance(value, Model):
        modules = value.schedule, value.noise, value.net
        return f"Model of {', '.join(type(one).__name__ for one in modules)}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_said(one)}' for key, one in value.items())}}}"
    text = " ".join((value if isinstance(value, str) else f"{value!r}").split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _code(text: str) -> str:
    """Text as code in a cell."""
    return f"`{text}`".replace("|", "\\|")
