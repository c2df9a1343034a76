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

from ..errors import InputError, MismatchError
from ..model import Model
from ..sampling.watch import Seen
from . import kind
from .base import Block
from .coder import shape, state
from .flow import flow
from .pipeline import is_block
from .port import Port, Ports
from .run import Made, Place, run
from .shape import alike

CHANGED = ("state", "stop")


OWN = "the sampling"
"""What `Denoise` itself is called, beside the blocks in it."""


class Steps:
    """The blocks between the steps of one composition, and what they read and make."""

    def __init__(self, each: Mapping[str, Block], own: Ports, model: Model[Any]) -> None:
        self.blocks, there = dict(each), values(model)
        for name, block in each.items():
            is_block("Denoise.each", name, block)
        self.inputs = flow({OWN: Inputs(own), **each}, given=there, place=OWN).inputs
        self.ordered = [(name, block, tuple(block.ports().inputs)) for name, block in each.items()]
        self.there = {key: Made(port.type) for key, port in there.items()}
        made = {key: port for block in each.values() for key, port in block.ports().outputs.items()}
        for key in made:
            if key in there and key != "state":
                raise MismatchError(f"Denoise.each: {key} is the sampling's; no block can make it.")
        if "state" in made and there["state"].type is dict:
            raise MismatchError("Denoise.each: joint states can be looked at, not changed.")
        for key, expected in (("state", there["state"]), ("stop", Port(bool))):
            if key in made and not (
                kind.fits(made[key].type, expected.type) and alike(made[key].shape, expected.shape)
            ):
                raise MismatchError(f"Denoise.each: {key} must be {expected}; got {made[key]}.")
        self.steers = "state" in made
        self.outputs = {key: port for key, port in made.items() if key not in CHANGED}
        reads = {key for block in each.values() for key in block.ports().inputs}
        self.predicts = "denoised" in reads

    def watch(self, given: Mapping[str, Any], at: Place) -> Watcher:
        """What a sampling calls after each step."""
        return Watcher(self, given, at)

    def foresee(self, given: Mapping[str, Any]) -> None:
        """Raise if inputs are missing that the choice of a branch makes necessary."""
        known = {**given, **self.there}
        for block in self.blocks.values():
            ports = block.ports()
            block.foresee({key: known[key] for key in ports.inputs if key in known})
            known |= {key: Made(port.type) for key, port in ports.outputs.items()}


class Inputs(Block):
    """The inputs of ports, as a block reads them."""

    of: Ports

    def ports(self) -> Ports:
        return Ports(self.of.inputs, {})


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
        for name, block, reads in self.of.ordered:
            given = {key: values[key] for key in reads if key in values}
            values |= run(block, given, Place((*self.at.path, name), seen.step))
        for key, kept in self.made.items():
            kept.append(values[key])
        if values.get("stop", False) and self.stopped is None:
            self.stopped = seen.x()
        if self.steers and values["state"].shape != seen.z.shape:
            raise InputError(
                f"the state became {list(values['state'].shape)}, from "
                f"{list(seen.z.shape)}: blocks between steps keep its shape."
            )
        return values["state"]


def values(model: Model[Any]) -> dict[str, Port]:
    """What there is after every step."""
    like = Port(state(model), shape(model))
    time = dict if hasattr(model.time, "parts") else float
    return {"state": like, "denoised": like, "time": Port(time), "step": Port(int),
            "steps": Port(int)}  # fmt: skip


def ports(own: Ports, steps: Steps) -> Ports:
    """Those of a block with blocks between its steps."""
    clash = own.outputs.keys() & steps.outputs.keys()
    if clash:
        raise MismatchError(f"Denoise.each makes {sorted(clash)[0]}, which Denoise makes itself.")
    made = {key: Port(types.GenericAlias(list, (p.type,))) for key, p in steps.outputs.items()}
    return Ports(steps.inputs, {**own.outputs, **made}, single=not made)
