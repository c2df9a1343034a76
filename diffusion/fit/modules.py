"""Whether every module of a model is of its kind, and what one encoded item looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .. import tree
from ..base import Data, Guidance, Loss, Net, Noise, Sampler, Schedule, Time
from ..data.items import fetch, inspect
from ..errors import InputError
from ..train.profile import Profile

if TYPE_CHECKING:
    from ..model import Model

MODULES = (
    "data", "schedule", "noise", "net", "loss", "time", "guidance", "sampler", "optimizer",
)  # fmt: skip
BASES: dict[str, type] = {
    "data": Data, "schedule": Schedule, "noise": Noise, "net": Net, "loss": Loss, "time": Time,
    "guidance": Guidance, "sampler": Sampler,
}  # fmt: skip


def kinds(model: Model[Any]) -> None:
    """Raise unless every module is of its kind."""
    for name, base in BASES.items():
        value = getattr(model, name)
        if value is None and name in ("loss", "guidance"):
            continue
        if not isinstance(value, base):
            what = (
                value.__name__ + " (a class: call it)" if isinstance(value, type) else repr(value)
            )
            raise InputError(f"Model.{name}: expected a {base.__name__}, got {what[:120]}.")
    if not callable(model.optimizer):
        raise InputError(
            "Model.optimizer: expected train.AdamW(...) or a function from parameters to a torch "
            f"optimiser; got {model.optimizer!r}."
        )
    ema = model.ema
    if not (ema is None or isinstance(ema, Profile) or 0 < ema < 1):
        raise InputError(f"Model.ema: expected a decay in (0, 1), or train.Profile(); got {ema}.")


def precision(net: nn.Module) -> torch.dtype:
    """The floating type of the network's weights."""
    return _dtype(net) or torch.get_default_dtype()


def _dtype(module: nn.Module) -> torch.dtype | None:
    for parameter in module._parameters.values():
        if parameter is not None and parameter.is_floating_point():
            return parameter.dtype
    for child in module._modules.values():
        found = None if child is None else _dtype(child)
        if found is not None:
            return found
    return None


def state(model: Model[Any], shape: Any, dtype: Any) -> tuple[Any, Any]:
    """Shape and type of one encoded item: from the data, or as given."""
    if model.data.w is None:
        if shape is None:
            raise InputError(
                f"{type(model.data).__name__}.w is None, so the shape of a sample is unknown; give "
                "data, or Model(..., shape=(channels, height, width))."
            )
        floating = precision(model.net)
        return shape, tree.map(lambda _: floating, shape) if dtype is None else dtype
    inspect(model.data)
    w, _ = fetch(model.data, torch.arange(1))
    with torch.no_grad():
        x = model.encode(tree.to(w, model.device))
    return tree.map(lambda leaf: tuple(leaf.shape[1:]), x), tree.map(lambda leaf: leaf.dtype, x)


def paired(model: Model[Any]) -> bool:
    """Whether a data set yields (w, y)."""
    w = model.data.w
    return not hasattr(w, "shape") and not isinstance(w, dict) and isinstance(w[0], (tuple, list))
