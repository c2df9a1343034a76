"""A model's noise, following its schedule."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from .. import tree
from ..base import Bridge
from ..noise.stepwise import Stepwise

if TYPE_CHECKING:
    from ..model import Model


def bound(model: Model[Any], soft: bool, times: Sequence[Any] | None) -> Any:
    """See `Model.bind`; bridges are bound once, and kept with the model."""
    kept = model._bound
    of, known = (model.noise, model.schedule), kept.get(soft)
    # Modules don't change once bound, so neither do the tables; but they may be assigned anew.
    if known is not None and all(map(operator.is_, known[0], of)):
        return known[1]
    like = tree.map(
        lambda shape, dtype: torch.empty((1, *shape), dtype=dtype, device=model.device),
        model.shape,
        model.state_dtype,
    )
    if isinstance(model.noise, Bridge):
        kept[soft] = of, model.noise.bind(model.schedule, soft, like)
        return kept[soft][1]
    return Stepwise(model.noise, model.schedule, soft, times, like)
