"""Reading `pipeline.yaml`: ids, arguments and names of models. Nothing in it is executed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...component import Component
from ...errors import FileError, InputError, suggest
from ...folder import lines
from ...folder.lines import Node
from ..base import Block
from .build import Builder
from .lock import Pins
from .models import Models
from .write import FORMAT

KEYS = ("format", "models", "tensors", "pipeline")


def load(
    path: str | Path, custom: Iterable[type] = (), device: Any = "cpu", locked: bool = False,
    changes: Iterable[str] = (),
) -> Block:  # fmt: skip
    """The block, most often a pipeline, that a file describes.

    Args:
        custom: your own classes that the file names.
        device: of its models.
        locked: refuse whatever differs from the lock file beside it, NAME.lock.
        changes: values that are set after reading, such as "denoise.steps=20".

    Errors: `FileError` with the line: unknown keys, ids and arguments with the nearest known ones,
    blocks that do not fit, weights that are others than when the file was written.
    """
    path = Path(path)
    tree = lines.read(path)
    _known(tree, path)
    pins = Pins(path, tree) if locked else None
    classes = tuple(custom)
    builder = Builder(Models(path, tree, classes, device, pins), classes)
    block = builder.value(tree["pipeline"], Block)
    if not isinstance(block, Block):
        raise FileError(
            f"{tree['pipeline'].place}: expected a block, such as {{id: block.Pipeline, ...}}; got "
            f"{tree['pipeline']}."
        )
    if pins is not None:
        pins.components(builder.found)
    for change in changes:
        block = _changed(block, change, builder)
    return block


def _known(tree: Mapping[str, Node], path: Path) -> None:
    for key, node in tree.items():
        if key not in KEYS:
            raise FileError(
                f"{node.place}: unknown key {key!r}; there are {', '.join(KEYS)}."
                f"{suggest(key, KEYS)}"
            )
    for key in ("format", "pipeline"):
        if key not in tree:
            raise FileError(f"{path}: the key {key!r} is missing.")
    form = tree["format"]
    if type(form.value) is not int or not 1 <= form.value <= FORMAT:
        raise FileError(
            f"{form.place}: format {form}; this library reads up to {FORMAT}. Upgrade it."
        )


def _changed(block: Block, change: str, builder: Builder) -> Block:
    """A block with one value set, as in `denoise.sampler={id: sampler.DDIM}`."""
    name, equals, text = change.partition("=")
    where = f"--set {name}"
    if not equals or not name:
        raise InputError(f"--set {change}: expected path=value, such as denoise.steps=20.")
    value = builder.value(lines.parse(text, where, numbered=False))
    try:
        return block.replace({name: _alike(block, name, value)})
    except (InputError, KeyError, AttributeError) as error:
        raise InputError(f"{where}: {error}") from error


def _alike(block: Block, path: str, value: Any) -> Any:
    """`value`, or a list where what it replaces is one."""
    there: Any = block
    for name in path.split("."):
        if isinstance(there, Block):
            there = there[name]
        elif isinstance(there, Component):
            there = getattr(there, name, None)
    return list(value) if isinstance(there, list) and isinstance(value, tuple) else value
