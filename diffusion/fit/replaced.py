"""A model with some modules exchanged."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ..errors import InputError, suggest
from ..train.average import own, unshare
from .modules import MODULES

if TYPE_CHECKING:
    from ..model import Model


def replaced(model: Model[Any], modules: dict[str, Any]) -> Any:
    """See `Model.replace`. The averaged weights go along as long as the networks are the same."""
    now: dict[str, Any] = {
        name: getattr(model, name) for name in (*MODULES, "ema", "clip", "seed", "device")
    }
    for name in modules:
        if name not in now:
            raise InputError(f"Model.replace: no module is called {name!r}.{suggest(name, now)}")
    other = type(model)(**{**now, **modules}, shape=model.shape, state_dtype=model.state_dtype)
    other.source = model.source
    if model.average is not None and not modules.keys() & {"net", "data", "ema", "device"}:
        shared = {id(value): value for value in model.parts.parameters()}
        other.average = copy.deepcopy(model.average, shared)
    elif model.average is not None and other.average is not None and "net" not in modules:
        _carry(model, other, "data" in modules)
    return other


def _carry(model: Model[Any], other: Any, without_data: bool) -> None:
    """Give another model the averages of the same networks; what it shares is never written."""
    state = own(model.average, model.parts)
    if without_data:
        state = {name: value for name, value in state.items() if ".data." not in name}
    there = other.average.state_dict()
    if all(name in there and value.shape == there[name].shape for name, value in state.items()):
        unshare(other.average, other.parts, state)
        other.average.load_state_dict({**other.average.state_dict(), **state})
