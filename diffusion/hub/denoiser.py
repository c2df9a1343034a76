"""Any denoiser as a `Net`: how it is told the time and the conditions, and what it answers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .. import tree
from ..base import Net, Schedule
from ..errors import InputError, require
from ..noise.clock import Clock
from ..tree import State
from .scheduler.timestep import Timestep
from .sizes import sizes

ADDED = "added_cond_kwargs"
"""The argument of Diffusers' networks that holds further conditions in a dict."""


class Denoiser(Net):
    """A network in another library's convention: `network(x, timestep, **conditions) -> output`.

    Its output may be a tensor, a tuple, or an object of Diffusers. Twice the channels of x are two
    parameters: the prediction, and its variance.

    Args:
        network: any `nn.Module`, those of Diffusers and of `diffusion.hub` included.
        schedule, timestep: the number that the network is called with, for a time of the schedule.
        labels: classes of integer conditions `y` `[b]`; the id i is told as i - 1.
        null: what stands for no condition: for classes True, if the embedding has one row more
            than there are classes; else a dict of conditions `[1, ...]`, such as the embedding of
            an empty prompt.
        pixels: pixels to a latent, for networks that are told the size of the picture.

    Conditions in a dict are the network's arguments by name. Rows whose `given` is 0 (as guidance
    makes them, by zeros) are replaced by `null`.
    """

    def __init__(
        self, network: nn.Module, schedule: Schedule, timestep: Timestep | None = None,
        labels: int = 0, null: Mapping[str, Tensor] | bool | None = None, pixels: int = 0,
    ) -> None:  # fmt: skip
        require(isinstance(network, nn.Module), "Denoiser.network", "an nn.Module",
                type(network).__name__)  # fmt: skip
        self.network, self.labels, self.pixels = network, labels, pixels
        self.timestep = Timestep() if timestep is None else timestep
        self._clock = Clock(schedule)
        self.origin: dict[str, Any] = {}  # the settings of the folder it was read from
        self.without = labels if null is True else None
        names = null if isinstance(null, Mapping) else {}
        self.null = nn.ParameterDict({k: nn.Parameter(v, False) for k, v in names.items()})
        self.condition = 1 if self.null else 0
        arguments = inspect.signature(network.forward).parameters
        self._named = "timestep" in arguments
        self._added = ADDED in arguments
        self._known = frozenset(arguments)
        self._needed = [
            name for name, one in list(arguments.items())[1:]
            if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
            and name != "timestep"
        ] if self._named else []  # fmt: skip

    @property
    def least(self) -> int:
        """The smallest class id: 1 where there is no condition that stands for none."""
        return 1 if self.labels and self.without is None else 0

    def forward(self, x: Tensor, y: State, t: Tensor) -> Tensor:
        number = self.timestep(t, self._clock).float()
        given = self._conditions(x, y)
        for name in self._needed:
            if name not in given:
                raise InputError(
                    f"Denoiser: {type(self.network).__name__} needs the condition {name!r}: sample "
                    "with y={...}, and say what stands for none, Denoiser(..., null={...}). The "
                    "folder of a whole pipeline has both."
                )
        if self._named:  # Diffusers' networks differ in where it stands
            given["timestep"] = number
        said = self.network(x, **given) if self._named else self.network(x, number, **given)
        said = said if isinstance(said, Tensor) else said[0]
        if said.shape == x.shape:
            return said.unsqueeze(0)
        if said.dim() == x.dim() and said.shape[1] == 2 * x.shape[1]:
            return torch.stack(said.chunk(2, dim=1))
        raise InputError(
            f"Denoiser: {type(self.network).__name__} returned {list(said.shape)} for x of shape "
            f"{list(x.shape)}; expected that, or twice its channels (a prediction and a variance)."
        )

    def _conditions(self, x: Tensor, y: State) -> dict[str, Any]:
        """The network's arguments."""
        if self.labels:
            return {"class_labels": self._classes(y)}
        if not isinstance(y, dict):
            y = {k: v.expand(len(x), *v.shape[1:]) for k, v in self.null.items()}
        else:
            y = self._given(y)
        if self.pixels and self._added:
            y = {**sizes(x, self.pixels, "text_embeds" in y), **y}
        unknown = [name for name in y if name not in self._known]
        if unknown and not self._added:
            raise InputError(
                f"Denoiser: {type(self.network).__name__} takes no condition {unknown[0]!r}; it "
                f"takes {', '.join(sorted(self._known))}."
            )
        plain = {k: v for k, v in y.items() if k in self._known}
        return {**plain, ADDED: {k: y[k] for k in unknown}} if self._added else plain

    def _classes(self, y: State) -> Tensor:
        if isinstance(y, dict) or y.is_floating_point():
            raise InputError("Denoiser: expected class ids y [b]; got other conditions.")
        index: Tensor = y - 1
        if self.without is None:
            return index  # at least 0: see `least`
        return torch.where(y > 0, index, self.without)

    def _given(self, y: dict[str, Tensor]) -> dict[str, Tensor]:
        """The conditions, with those that are not given replaced."""
        given = y.get("given")
        rest = {k: v for k, v in y.items() if k != "given"}
        if given is None:
            return rest

        def one(name: str, value: Tensor) -> Tensor:
            if name not in self.null:
                return value
            empty = self.null[name].to(value.dtype)
            if empty.shape[1:] != value.shape[1:]:
                raise InputError(
                    f"Denoiser: the condition {name!r} has shape {list(value.shape)}; that of no "
                    f"condition is {list(empty.shape)}."
                )
            return torch.where(tree.rows(given > 0, value), value, empty)

        return {k: one(k, v) for k, v in rest.items()}
