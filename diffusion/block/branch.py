"""One of two blocks, by whether an input is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import MismatchError
from . import kind
from .base import Block
from .flow import flow, whole
from .pipeline import Composite, is_block
from .port import Port, Ports
from .run import Place, run


class Branch(Composite):
    """`then` where the input `on` is given (not None, not False), `otherwise` where it is not.

        Branch(on="mask", then=inpaint, otherwise=denoise)

    Args:
        on: an input's name. otherwise: None leaves all as it is; then `then` may only change
            values that it reads.

    Both make the same outputs. The inputs of one that the other does not read may be left out.
    """

    def __init__(self, on: str, then: Block, otherwise: Block | None = None) -> None:
        is_block("Branch", "then", then)
        if otherwise is not None:
            is_block("Branch", "otherwise", otherwise)
        self.on, self.then, self.otherwise = on, then, otherwise
        self._ports = self._joined()

    def children(self) -> dict[str, Block]:
        found = {"then": self.then}
        return found if self.otherwise is None else {**found, "otherwise": self.otherwise}

    def run(self, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
        chosen = given.get(self.on)
        name = "otherwise" if chosen is None or chosen is False else "then"
        block = self.children().get(name)
        if block is None:
            return {key: given[key] for key in self._ports.outputs}
        inputs = block.ports().inputs
        return run(block, {k: v for k, v in given.items() if k in inputs}, at / name)

    def _joined(self) -> Ports:
        then = whole(self.then)
        other = then if self.otherwise is None else whole(self.otherwise)
        if self.otherwise is None:
            lost = [key for key in then.outputs if key not in then.inputs]
            if lost:
                raise MismatchError(
                    f"Branch: without {self.on}, nothing would make {', '.join(lost)}. Give "
                    "otherwise=, a block that does."
                )
        if then.outputs.keys() != other.outputs.keys():
            raise MismatchError(
                f"Branch: then makes {', '.join(then.outputs) or 'nothing'}, otherwise makes "
                f"{', '.join(other.outputs) or 'nothing'}; both must make the same."
            )
        for key, port in other.outputs.items():
            if not (kind.fits(port.type, then.outputs[key].type)):
                raise MismatchError(
                    f"Branch: then makes {key} as {then.outputs[key]}, otherwise as {port}."
                )
        # Both read the same values: as if one ran after the other, for what is given to them.
        both = flow({name: Reader(block) for name, block in self.children().items()}).inputs
        inputs = {key: self._optional(key, port) for key, port in both.items()}
        if self.on not in inputs:
            inputs[self.on] = Port(Any, default=None)
        return Ports(inputs, dict(then.outputs), then.single)

    def _optional(self, key: str, port: Port) -> Port:
        sides = [block.ports().inputs for block in self.children().values()]
        everywhere = self.otherwise is None and key in self.then.ports().outputs
        if key == self.on:
            return Port(port.type | None, port.shape, None)
        if everywhere or (all(key in side for side in sides) and self.otherwise is not None):
            return port
        return port if not port.required else Port(port.type | None, port.shape, None)


class Reader(Block):
    """A block's inputs alone."""

    block: Block

    def ports(self) -> Ports:
        return Ports(self.block.ports().inputs, {})

    def sizes(self) -> dict[str, int]:
        return self.block.sizes()
