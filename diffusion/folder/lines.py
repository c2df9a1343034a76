"""YAML that remembers where each value stands, for errors that name file and line.

The limits are those of `diffusion.folder.text`. Beyond them, a key that appears twice is an error,
and `1e-3` is a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from ..errors import FileError
from . import text

Plain: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True)
class Node:
    """A value of a YAML file: a scalar, a list of nodes, or a map of nodes.

    `place` is where it stands, such as "model.yaml, line 3".
    """

    value: Plain | list[Node] | dict[str, Node]
    place: str

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def __str__(self) -> str:
        shown = repr(self.plain())
        return shown if len(shown) <= 60 else f"{shown[:57]}..."


class _Loader(yaml.SafeLoader):
    """PyYAML's, with the floats of YAML 1.2, and without dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
FLOATS = (
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)
"""Numbers such as 1e-3, which YAML 1.1 takes for words."""
_Loader.add_implicit_resolver(*FLOATS)


def read(path: Path) -> dict[str, Node]:
    """A YAML file that holds a map."""
    try:
        if path.stat().st_size > text.LIMIT:
            raise FileError(f"{path}: {path.stat().st_size} bytes; the limit is {text.LIMIT}.")
        content = path.read_text("utf-8")
    except FileNotFoundError:
        raise FileError(f"{path}: no such file.") from None
    except IsADirectoryError:
        raise FileError(f"{path}: is a folder; expected a YAML file.") from None
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not UTF-8 text ({error}).") from None
    node = parse(content, str(path))
    if not isinstance(node.value, dict):
        kind = "nothing" if node.value is None else type(node.value).__name__
        raise FileError(f"{path}: expected a map of settings, got {kind}.")
    return node.value


def parse(content: str, where: str, numbered: bool = True) -> Node:
    """A node from YAML text; `numbered` adds line numbers to `where`."""
    text.parse(content, where)  # refuses what is too large, too deep, tagged or aliased
    loader = _Loader(content)
    try:
        root = loader.get_single_node()
        return Node(None, where) if root is None else _node(root, loader, where, numbered, None)
    finally:
        loader.dispose()


def _node(node: Any, loader: Any, where: str, numbered: bool, line: int | None) -> Node:
    """The node, placed at the line of its key where it has one."""
    at: int = node.start_mark.line if line is None else line
    place = f"{where}, line {at + 1}" if numbered else where
    if isinstance(node, yaml.MappingNode):
        return Node(dict(_items(node, loader, where, numbered)), place)
    if isinstance(node, yaml.SequenceNode):
        return Node([_node(one, loader, where, numbered, None) for one in node.value], place)
    return Node(loader.construct_object(node), place)


def _items(
    node: yaml.MappingNode, loader: Any, where: str, numbered: bool
) -> Iterator[tuple[str, Node]]:
    seen: dict[str, int] = {}
    for name, value in node.value:
        line: int = name.start_mark.line if name.start_mark else 0
        if not isinstance(name, yaml.ScalarNode):
            raise FileError(f"{where}, line {line + 1}: a key must be a word.")
        key = str(name.value)
        if key in seen:
            raise FileError(
                f"{where}, line {line + 1}: the key {key!r} is there already, on line "
                f"{seen[key] + 1}."
            )
        seen[key] = line
        yield key, _node(value, loader, where, numbered, line)
