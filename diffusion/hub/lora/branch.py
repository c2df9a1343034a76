"""A low-rank branch beside a layer: y = layer(x) + strength·s·B·A·x. The weight stays as it is."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import MismatchError
from .folded import base
from .update import Update

PLACE = "lora"
"""The attribute of a layer that holds its branches."""


class Branch(nn.Module):
    """One update of one layer, in the layer's precision and on its device.

    DoRA has no low-rank branch: its change is made anew, as a whole weight, at every call.

    Args:
        weight: of the layer. strength: may be changed. dtype: another precision than the weight's.

    Attributes:
        trained: whether it is what a model trains.
    """

    def __init__(
        self, update: Update, weight: Tensor, strength: float = 1.0,
        dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        shape = (len(update.down), *weight.shape[1:])
        down, up = (
            one.to(weight.device, dtype or weight.dtype) for one in (update.down, update.up)
        )
        self.strength, self.scale, self.trained = strength, update.scale, False
        self.dora = None if update.magnitude is None else update
        self.down = nn.Parameter(down.reshape(shape), requires_grad=False)
        self.up = nn.Parameter(up, requires_grad=False)

    def forward(self, layer: Any, x: Tensor) -> Tensor:
        """What is added to `layer(x)`."""
        if self.dora is not None:
            return self.strength * _apply(layer, x, self.dora.delta(base(layer)).to(x.dtype))
        low = _apply(layer, x, self.down.to(x.dtype))
        if isinstance(layer, nn.Linear):
            high = F.linear(low, self.up.to(x.dtype))
        else:
            high = F.linear(low.movedim(1, -1), self.up.to(x.dtype)).movedim(-1, 1)
        return self.strength * self.scale * high


def add(layer: Any, branch: Branch) -> None:
    """Put a branch beside a layer."""
    if not hasattr(layer, PLACE):
        setattr(layer, PLACE, nn.ModuleList())
        layer._lora_hook = layer.register_forward_hook(_beside)
    getattr(layer, PLACE).append(branch)


def remove(layer: Any, branch: Branch) -> None:
    """Take a branch away."""
    rest = [one for one in getattr(layer, PLACE) if one is not branch]
    if rest:
        setattr(layer, PLACE, nn.ModuleList(rest))
    else:
        layer._lora_hook.remove()
        del layer._lora_hook
        delattr(layer, PLACE)


def refuse(network: nn.Module, where: str) -> None:
    """Raise if a network has branches: files of networks have no place for them."""
    for path, layer in network.named_modules():
        if hasattr(layer, PLACE):
            raise MismatchError(
                f"{where}: {path} has a LoRA beside it, which the folder has no place for. Fold it "
                "in first (Attached.merge, or hub.lora.apply), or write it by hub.lora.save."
            )


def _beside(layer: Any, given: tuple[Any, ...], said: Tensor) -> Tensor:
    """A hook without a state, so that it stays right in copies of the layer."""
    for branch in getattr(layer, PLACE):
        said = said + branch(layer, given[0])
    return said


def _apply(layer: Any, x: Tensor, weight: Tensor) -> Tensor:
    """The layer with another weight, and no bias."""
    if isinstance(layer, nn.Linear):
        return F.linear(x, weight)
    found: Tensor = layer._conv_forward(x, weight, None)
    return found
