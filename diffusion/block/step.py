"""What happens between the steps of a sampling: blocks inside `Denoise`.

They read what the sampling has come to under these names, beside inputs of their own, which become
inputs of `Denoise`:

| name | value |
|---|---|
| state | z at the time t, after the step |
| denoised | the data that the network predicted last, as a state |
| time | t: a whole number of steps left, or in [0, 1] |
| step, steps | the number of the step, from 0, and of how many |

A block that makes `state` changes where sampling goes on from; one that makes `stop` ends it when
that is true. Whatever else they make, `Denoise` returns as lists, an entry for each step.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..errors import MismatchError
from ..sampling.watch import Seen
from . import kind
from .base import Block
from .flow import flow
from .port import Port, Ports
from .run import Place, run

Step = {
    "state": Port(Tensor), "denoised": Port(Tensor), "time": Port(float), "step": Port(int),
    "steps": Port(int),
}  # fmt: skip
"""The values there are after every step."""
CHANGED = ("state", "stop")


class Steps:
    """The blocks between the steps of one composition, and what they read and make."""

    def __init__(self, each: Mapping[str, Block]) -> None:
        self.blocks = dict(each)
        ports = flow(self.blocks, given=Step)
        self.inputs = ports.inputs
        made = {key: port for block in each.values() for key, port in block.ports().outputs.items()}
        for key, expected in (("state", Tensor), ("stop", bool)):
            if key in made and not kind.fits(made[key].type, expected):
                raise MismatchError(
                    f"Denoise.each: {key} must be a {expected.__name__}; got {made[key]}."
                )
        for key in Step.keys() - {"state"}:
            if key in made:
                raise MismatchError(f"Denoise.each: {key} is the sampling's; no block can make it.")
        self.steers = "state" in made
        self.outputs = {key: port for key, port in made.items() if key not in CHANGED}
        reads = {key for block in each.values() for key in block.ports().inputs}
        self.predicts = "denoised" in reads

    def watch(self, given: Mapping[str, Any], at: Place) -> Watcher:
        """What a sampling calls after each step."""
        return Watcher(self, given, at)


class Watcher:
    """Runs the blocks for one sampling, and keeps what they make."""

    def __init__(self, steps: Steps, given: Mapping[str, Any], at: Place) -> None:
        self.of, self.given, self.at, self.steers = steps, dict(given), at, steps.steers
        self.made: dict[str, list[Any]] = {key: [] for key in steps.outputs}
        self.stopped: Any = None

    def __call__(self, seen: Seen) -> Any:
        values = {**self.given, "state": seen.z, "time": seen.t, "step": seen.step,
                  "steps": seen.steps}  # fmt: skip
        if self.of.predicts:
            values["denoised"] = seen.x()
        place = Place(self.at.path, seen.step)
        for name, block in self.of.blocks.items():
            inputs = block.ports().inputs
            values |= run(block, {k: v for k, v in values.items() if k in inputs}, place / name)
        for key, kept in self.made.items():
            kept.append(values[key])
        if values.get("stop", False) and self.stopped is None:
            self.stopped = seen.x()
        return values["state"]


def ports(own: Ports, steps: Steps) -> Ports:
    """Those of a block with blocks between its steps."""
    twice = own.inputs.keys() & steps.inputs.keys()
    inputs = dict(own.inputs)
    for key, port in steps.inputs.items():
        if key in twice and not kind.fits(own.inputs[key].type, port.type):
            raise MismatchError(
                f"Denoise.each reads {key} as {port}, which Denoise reads as {own.inputs[key]}; "
                f'rename it: block.rename({key}="...").'
            )
        inputs[key] = port if key not in twice else own.inputs[key]
    clash = own.outputs.keys() & steps.outputs.keys()
    if clash:
        raise MismatchError(f"Denoise.each makes {sorted(clash)[0]}, which Denoise makes itself.")
    made = {key: Port(types.GenericAlias(list, (p.type,))) for key, p in steps.outputs.items()}
    return Ports(inputs, {**own.outputs, **made}, single=not made)
