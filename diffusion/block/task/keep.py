"""Conditions that guidance leaves alone, and what it steers away from.

Guidance compares with no condition, which is zeros. A negative prompt takes its place, and what is
kept (a picture of edges) is the same on both sides.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ... import tree
from ...base import Batch, Guidance, Noise, Predict
from ...errors import InputError
from ...net.beside import OWN
from ...tree import State

NEGATIVE, KEPT = "negative", "kept"
"""Names beside the conditions: `with_negative`, `with_kept`; `OWN` is theirs alone."""


class Keep(Guidance):
    """`guidance`, under conditions that hold others: see `diffusion.block.task.keep`.

    Without such conditions it is `guidance` itself.
    """

    guidance: Guidance | None = None

    def __post_init__(self) -> None:
        own = self.guidance
        if own is not None and not isinstance(own, Guidance):
            raise InputError(f"Keep.guidance: expected a guidance or None; got {own!r:.100}.")
        vars(self)["conditional"] = own is not None and own.conditional

    def corrupt(self, batch: Batch[Any]) -> None:
        if self.guidance is not None:
            self.guidance.corrupt(batch)

    def fits(self, noise: Noise[Any]) -> str | None:
        return None if self.guidance is None else self.guidance.fits(noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        beside: list[Any] = [None, None]

        def plain(z: State, y: State, t: Any) -> State:
            return predict(z, _whole(y, *beside), t)

        inner = plain if self.guidance is None else self.guidance(plain, noise)

        def guided(z: State, y: State, t: Any) -> State:
            own, beside[0], beside[1] = _apart(y)
            if beside[0] is not None and not self.conditional:
                raise InputError(
                    "a negative prompt is what guidance leads away from, and there is none: give "
                    "guidance=diffusion.guidance.ClassifierFree(strength=6.5)."
                )
            return inner(z, own, t)

        return guided


def with_negative(y: State, negative: State) -> State:
    """Conditions `y` with those that stand in the place of none, row by row."""
    return {**_named(y), NEGATIVE: negative}


def with_kept(y: State, **kept: State) -> State:
    """Conditions `y` with others beside them that guidance does not drop."""
    named = _named(y)
    return {**named, KEPT: {**named.get(KEPT, {}), **kept}}


def _named(y: State) -> dict[str, Any]:
    if y is None:
        return {}
    return dict(y) if isinstance(y, dict) else {OWN: y}


def _apart(y: State) -> tuple[State, State, State]:
    """Conditions, the negative ones, and the kept ones."""
    if not isinstance(y, dict):
        return y, None, None
    own = {key: value for key, value in y.items() if key not in (NEGATIVE, KEPT)}
    return (own[OWN] if [*own] == [OWN] else own), y.get(NEGATIVE), y.get(KEPT)


def _whole(y: State, negative: State, kept: State) -> State:
    """What the network is told, of what guidance asks about: a few copies of the batch."""
    if negative is not None:
        y = _against(y, negative)
    if kept is None:
        return y
    count = tree.size(y) // tree.size(kept)
    copies = tree.map(lambda one: torch.cat([one] * count) if count > 1 else one, kept)
    return {**_named(y), **copies}


def _against(y: State, negative: State) -> State:
    """Conditions with the negative ones where there are none."""
    count = tree.size(y) // tree.size(negative)
    other = tree.map(lambda one: torch.cat([one] * count), negative)
    lost = y == 0 if isinstance(y, Tensor) else y["given"] == 0

    def one(own: Tensor, instead: Tensor) -> Tensor:
        return torch.where(tree.rows(lost, own), instead.to(own), own)

    return tree.map(one, y, other)
