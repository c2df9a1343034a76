"""A model with some modules exchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InputError, suggest
from .modules import MODULES

if TYPE_CHECKING:
    from ..model import Model


def replaced(model: Model[Any], modules: dict[str, Any]) -> Any:
    """See `Model.replace`. The averaged weights go along as long as the networks are the same."""
    own: dict[str, Any] = {
        name: getattr(model, name) for name in (*MODULES, "ema", "clip", "seed", "device")
    }
    for name in modules:
        if name not in own:
            raise InputError(f"Model.replace: no module is called {name!r}.{suggest(name, own)}")
    other = type(model)(**{**own, **modules}, shape=model.shape, state_dtype=model.state_dtype)
    other.source = model.source
    if model.average is not None and other.average is not None and "net" not in modules:
        state, own = model.average.state_dict(), other.average.state_dict()
        if {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in own.items()}:
            other.average.load_state_dict(state)
    return other
