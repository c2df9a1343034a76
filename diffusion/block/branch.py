"""One of two blocks, by whether an input is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError, MismatchError
from . import kind
from .base import Block
from .flow import beside, slip
from .pipeline import Composite, is_block
from .port import Port, Ports
from .run import Made, Place, run
from .shape import alike, either


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
        name = _side(given.get(self.on))
        block = self.children().get(name)
        if block is None:
            return {key: given[key] for key in self._ports.outputs}
        inputs = block.ports().inputs
        return run(block, {k: v for k, v in given.items() if k in inputs}, at / name)

    def foresee(self, given: Mapping[str, Any]) -> None:
        chosen = given.get(self.on)
        if isinstance(chosen, Made) and any(kind.holds(v, chosen.type) for v in (None, False)):
            return
        name = _side(chosen)
        block = self.children().get(name)
        if block is None:
            return
        inputs = block.ports().inputs
        for key, port in inputs.items():
            absent = given.get(key) is None and not kind.holds(None, port.type)
            if port.required and (key not in given or absent):
                raise InputError(
                    f"Branch: {'with' if name == 'then' else 'without'} {self.on}, "
                    f"{type(block).__name__} needs {key} ({port})."
                )
        block.foresee({key: value for key, value in given.items() if key in inputs})

    def _joined(self) -> Ports:
        inputs, made = beside(self.children())
        then = made["then"]
        if self.otherwise is None:
            lost = [key for key in then if key not in inputs or key == self.on]
            if lost:
                raise MismatchError(
                    f"Branch: without {self.on}, nothing would make {', '.join(lost)}. Give "
                    "otherwise=, a block that does."
                )
        other = made.get("otherwise", {key: inputs[key] for key in then if key in inputs})
        if then.keys() != other.keys():
            raise MismatchError(
                f"Branch: then makes {', '.join(then) or 'nothing'}, otherwise makes "
                f"{', '.join(other) or 'nothing'}; both must make the same."
            )
        found = (port.shape for ports in (inputs, then, other) for port in ports.values())
        taken = {size for shape in found if shape for size in shape.sizes if isinstance(size, str)}
        outputs = {}
        for key, port in then.items():
            if not kind.fits(other[key].type, port.type) or not alike(other[key].shape, port.shape):
                raise MismatchError(
                    f"Branch: then makes {key} as {port}, otherwise as {other[key]}."
                )
            outputs[key] = port._replace(shape=either(port.shape, other[key].shape, taken))
        inputs = {key: self._optional(key, port) for key, port in inputs.items()}
        inputs.setdefault(self.on, self._chooser(inputs))
        return Ports(inputs, outputs, single=len(outputs) == 1)

    def _chooser(self, inputs: Mapping[str, Port]) -> Port:
        """The port `on`, which neither block reads."""
        close = [key for key in inputs if slip(key, self.on)]
        if close:
            raise MismatchError(
                f"Branch: no block reads {self.on!r}, but there is {close[0]!r}: write "
                f"on={close[0]!r}, or give {self.on!r} another name."
            )
        return Port(Any, default=None)

    def _optional(self, key: str, port: Port) -> Port:
        sides = [block.ports() for block in self.children().values()]
        kept = self.otherwise is None and key in self.then.ports().outputs
        if key == self.on:
            return Port(port.type | None, port.shape, None)
        if kept:  # made by neither, it must be given
            return Port(port.type, port.shape)
        if not port.required or (self.otherwise and all(key in side.inputs for side in sides)):
            return port
        return Port(port.type | None, port.shape, None)


def _side(chosen: Any) -> str:
    return "otherwise" if chosen is None or chosen is False else "then"
