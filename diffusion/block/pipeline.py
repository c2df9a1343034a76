"""Blocks one after the other, each reading what those before it made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..errors import FileError, InputError, MismatchError, suggest
from .base import Block
from .flow import flow
from .port import Ports
from .run import BlockError, Made, Place, check, run, wrapped

if TYPE_CHECKING:
    from .trace import Tracing


class Composite(Block):
    """A block made of blocks, whose ports follow from theirs. Its call checks before any work."""

    _ports: Ports

    def __call__(self, **given: Any) -> Any:
        """Run it. Errors: `InputError` before any work; `BlockError`, which names the block."""
        name = type(self).__name__
        check(self.ports(), given, name, self.sizes())
        self.foresee(given)
        return wrapped(self.ports(), run(self, given, Place()))

    def ports(self) -> Ports:
        return self._ports

    def trace(self, folder: str | Path | None = None, **bounds: Any) -> Tracing:
        """Record every block that runs inside: `with pipe.trace("run.trace") as t: pipe(...)`.

        See `diffusion.block.trace.Tracing` for the bounds of what is kept.
        """
        from .trace import Tracing

        return Tracing(folder, **bounds)

    def __repr__(self) -> str:
        """Its blocks, one a line, with what is inside them; a block without any as others are."""
        from .drawing import outline

        return outline(self) if self.children() else super().__repr__()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Composite) or not super().__eq__(other):
            return False
        ours, theirs = self.children(), other.children()
        return ours == theirs and list(ours) == list(theirs)

    __hash__ = Block.__hash__

    def save(self, path: str | Path, weights: bool = False) -> None:
        """Write it as data; see `diffusion.block.file.write`."""
        from .file import save

        save(self, path, weights)

    @classmethod
    def load(cls, path: str | Path, custom: Iterable[type] = (), **options: Any) -> Self:
        """What `save` wrote; see `diffusion.block.file.read`. Errors: another kind of block."""
        from .file import load

        block = load(path, custom, **options)
        if not isinstance(block, cls):
            raise FileError(f"{path}: holds a {type(block).__name__}; expected a {cls.__name__}.")
        return block


class Pipeline(Composite):
    """Blocks by name, in the order they run.

        pipe = Pipeline(read=Prompt(model), denoise=Denoise(model), show=Decode(model))
        image = pipe(prompt=["a cat"], seed=0)

    A block reads what stands under the names of its inputs: what a block before it made, or what
    the pipeline is given. It may change a value by reading it and making it again.

    Args:
        outputs: what the pipeline returns; by default all that no block reads.
        blocks: by name.

    Errors: see `diffusion.block.flow`; nothing runs while composing.
    """

    def __init__(self, *, outputs: Sequence[str] = (), **blocks: Block) -> None:
        if not blocks:
            raise InputError("Pipeline: expected at least one block, such as denoise=...")
        for name, block in blocks.items():
            is_block("Pipeline", name, block)
        if isinstance(outputs, str):
            raise InputError(f"Pipeline.outputs: expected names; write ({outputs!r},).")
        self.outputs, self.blocks = tuple(outputs), blocks
        self._ports = flow(blocks, self.outputs)

    def children(self) -> dict[str, Block]:
        return dict(self.blocks)

    def run(self, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
        values = dict(given)
        for name, block in self.blocks.items():
            asked = {key: values[key] for key in block.ports().inputs if key in values}
            try:
                values |= run(block, asked, at / name)
            except BlockError as error:
                error.values = {**values, **error.values}
                raise
        return {name: values[name] for name in self._ports.outputs}

    def foresee(self, given: Mapping[str, Any]) -> None:
        values = dict(given)
        for block in self.blocks.values():
            ports = block.ports()
            block.foresee({key: values[key] for key in ports.inputs if key in values})
            values |= {key: Made(port.type) for key, port in ports.outputs.items()}

    def insert(self, *, after: str = "", before: str = "", **blocks: Block) -> Pipeline:
        """A pipeline with blocks more: `pipe.insert(after="encode", blur=Blur())`."""
        anchor = after or before
        if bool(after) == bool(before):
            raise InputError("Pipeline.insert: give after= or before=, the name of a block.")
        self._child(anchor)
        for name in blocks:
            if name in self.blocks:
                raise InputError(f"Pipeline.insert: there is a block {name!r} already; replace it.")
        made: dict[str, Any] = {}
        for name, block in self.blocks.items():
            made |= blocks if name == before else {}
            made[name] = block
            made |= blocks if name == after else {}
        return Pipeline(outputs=self.outputs, **made)

    def remove(self, *names: str) -> Pipeline:
        """A pipeline without some blocks: what they made becomes an input where it is read."""
        for name in names:
            self._child(name)
        kept: dict[str, Any] = {k: block for k, block in self.blocks.items() if k not in names}
        return Pipeline(outputs=self.outputs, **kept)

    def workflow(self, outputs: Sequence[str]) -> Pipeline:
        """The blocks that some outputs need, which are then those of the pipeline."""
        if isinstance(outputs, str):
            raise InputError(f"workflow: expected names; write [{outputs!r}].")
        made = {key for block in self.blocks.values() for key in block.ports().outputs}
        for key in outputs:
            if key not in made:
                raise MismatchError(
                    f"workflow: no block makes {key!r}; they make {', '.join(sorted(made))}."
                    f"{suggest(key, sorted(made))}"
                )
        wanted, kept = set(outputs), list[str]()
        for name, block in reversed(self.blocks.items()):
            ports = block.ports()
            if wanted & ports.outputs.keys():
                kept.append(name)
                wanted = (wanted - ports.outputs.keys()) | ports.inputs.keys()
        blocks: dict[str, Any] = {name: self.blocks[name] for name in reversed(kept)}
        return Pipeline(outputs=outputs, **blocks)

    def _child(self, name: str) -> Block:
        self._known(name)
        return self.blocks[name]

    def _with(self, changes: dict[str, Any]) -> Self:
        outputs = changes.pop("outputs", self.outputs)
        return type(self)(outputs=outputs, **{**self.blocks, **changes})


def joined(first: Block, second: Block) -> Pipeline:
    """`first >> second`: pipelines are continued, blocks called by their classes."""
    blocks: dict[str, Any] = {}
    for one in (first, second):
        is_block(">>", "one side", one)
        own = one.blocks if isinstance(one, Pipeline) and not one.outputs else {snake(one): one}
        for name, block in own.items():
            free, count = name, 2
            while free in blocks:
                free, count = f"{name}{count}", count + 1
            blocks[free] = block
    return Pipeline(**blocks)


def snake(block: Any) -> str:
    """The name of a block that was given none: its class's, in lower case."""
    inner = getattr(block, "block", block)  # what binds or renames goes by what it holds
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(inner).__name__).lower()


def is_block(where: str, name: str, block: Any) -> None:
    if not isinstance(block, Block):
        got = f"{block.__name__} (a class: call it)" if isinstance(block, type) else repr(block)
        raise InputError(f"{where}.{name}: expected a Block; got {got:.200}.")
