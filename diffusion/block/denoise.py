"""The block that runs a `Model`: from noise, or noised latents, to latents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..base import Guidance, Sampler
from ..component import arguments
from ..errors import InputError, MismatchError
from ..model import Model
from .base import Block
from .coder import fitted
from .pipeline import Composite
from .port import Port, Ports
from .run import BlockError, Place
from .step import Steps, ports

INPUTS: dict[str, tuple[str, Any]] = {
    "conditions": ("y", Any),
    "batch": ("batch", int | None),
    "seed": ("seed", Any),
    "noise": ("z", Any),
    "latents": ("x", Any),
    "strength": ("strength", float | None),
    "known": ("known", Any),
    "mask": ("mask", Any),
}
"""What inputs are called by `model.stream`, and their types; all may be left out."""
PORTS = Ports(
    {name: Port(kind, None, None) for name, (_, kind) in INPUTS.items()},
    {"latents": Port(Any)}, single=True,
)  # fmt: skip


class Denoise(Composite):
    """Sample a model. Its output are encoded samples, which `Decode` makes pictures of.

        Denoise(model, steps=20, each={"hold": Hold(model), "show": Preview(every=5)})

    Args:
        model: whose modules are used. steps: how many, a `diffusion.grid`, or the times.
        sampler, guidance: instead of the model's own; None is the model's own.
        each: blocks between the steps, by name, in the order they run; see `diffusion.block.step`.

    Inputs, all optional (see `diffusion.sampling.Options`):
        conditions: as `model.sample` takes them. batch: how many samples. seed.
        noise: the first state. latents, strength: encoded items to start from, and how noisy.
        known, mask: items that are kept where the mask is True.
    """

    def __init__(
        self, model: Model[Any], steps: Any = None, sampler: Sampler | None = None,
        guidance: Guidance | None = None, each: Mapping[str, Block] | None = None,
        progress: bool = False,
    ) -> None:  # fmt: skip
        if not isinstance(model, Model):
            raise InputError(f"Denoise.model: expected a Model; got {type(model).__name__}.")
        for name, value, base in (("sampler", sampler, Sampler), ("guidance", guidance, Guidance)):
            if value is not None and not isinstance(value, base):
                raise InputError(f"Denoise.{name}: expected a {base.__name__}; got {value!r:.100}.")
        reason = None if sampler is None else sampler.fits(model.noise)
        if reason is not None:
            raise MismatchError(f"Denoise: sampler and noise: {reason}")
        self.model, self.steps, self.sampler, self.guidance = model, steps, sampler, guidance
        self.each, self.progress = dict(each or {}), progress
        own = fitted(model, PORTS, "latents", "noise")
        self._between = Steps(self.each, own, model)
        self._ports = ports(own, self._between)

    def children(self) -> dict[str, Block]:
        return dict(self.each)

    def run(self, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
        own = {key: value for key, value in given.items() if key in INPUTS and value is not None}
        watcher = self._between.watch(given, at) if self.each else None
        y, batch = own.pop("conditions", None), own.pop("batch", None)
        options = {INPUTS[key][0]: value for key, value in own.items()}
        states = self.model.stream(
            y, batch, self.steps, sampler=self.sampler, guidance=self.guidance, watch=watcher,
            progress=self.progress, **options,
        )  # fmt: skip
        z: Any = None
        made = {} if watcher is None else watcher.made
        step = -1  # what the first state is there after
        try:
            with torch.no_grad():
                for z in states:
                    if watcher is not None and watcher.stopped is not None:
                        z = watcher.stopped
                        break
                    step += 1
        except Exception as cause:
            error = cause if isinstance(cause, BlockError) else _failed(at, step, cause)
            error.values = {**made, "latents": z, **error.values}
            raise error from error.__cause__
        return {"latents": z, **made}

    def foresee(self, given: Mapping[str, Any]) -> None:
        self._between.foresee(given)

    def _with(self, changes: dict[str, Any]) -> Denoise:
        inner = {name: changes.pop(name) for name in list(changes) if name in self.each}
        each = {**changes.pop("each", self.each), **inner}
        return Denoise(**{**arguments(self), **changes, "each": each})


def _failed(at: Place, step: int, cause: Exception) -> BlockError:
    """What says of an error of the model's modules in which step it was."""
    error = BlockError(at._replace(step=step), cause)
    error.__cause__ = cause
    return error
