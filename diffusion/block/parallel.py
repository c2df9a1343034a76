"""Blocks that read the same values and do not see each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from ..errors import InputError, MismatchError
from .base import Block
from .flow import beside
from .pipeline import Composite, is_block
from .port import Port, Ports
from .run import Place, run


class Parallel(Composite):
    """Each of its blocks on the same inputs; the outputs of all.

        Parallel(text=ReadText(), image=ReadImage())

    They run one after the other, but none reads what another makes, whatever their names.
    """

    def __init__(self, **blocks: Block) -> None:
        if not blocks:
            raise InputError("Parallel: expected at least one block.")
        for name, block in blocks.items():
            is_block("Parallel", name, block)
        self.blocks = blocks
        inputs, made = beside(blocks)
        outputs, makers = dict[str, Port](), dict[str, str]()
        for name, ports in made.items():
            for key, port in ports.items():
                if key in makers:
                    raise MismatchError(
                        f"Parallel: {makers[key]} and {name} both make {key}. Rename one: "
                        f'{name}.rename({key}="...").'
                    )
                makers[key], outputs[key] = name, port
        self._ports = Ports(inputs, outputs, single=len(outputs) == 1)

    def children(self) -> dict[str, Block]:
        return dict(self.blocks)

    def run(self, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, block in self.blocks.items():
            inputs = block.ports().inputs
            made |= run(block, {k: v for k, v in given.items() if k in inputs}, at / name)
        return made

    def foresee(self, given: Mapping[str, Any]) -> None:
        for block in self.blocks.values():
            block.foresee({k: v for k, v in given.items() if k in block.ports().inputs})

    def _with(self, changes: dict[str, Any]) -> Self:
        return type(self)(**{**self.blocks, **changes})
