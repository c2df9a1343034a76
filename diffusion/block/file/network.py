"""Networks that are no models: those that a block holds, and those that control a model's own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ... import hub
from ...component import arguments, same
from ...folder.source import Source
from ...hub.denoiser import Denoiser
from ...model import Model
from ..task.net import Controlled, remade
from . import digest
from .entry import folder_of, resolved


def apart(model: Model[Any]) -> tuple[Model[Any], dict[str, Any], dict[str, float]]:
    """A model as it is without its control networks; these, and the scales of what they add."""
    net = model.net
    if not isinstance(net, Denoiser) or not isinstance(net.network, Controlled):
        return model, {}, {}
    told = net.network
    own = model.replace(net=remade(net, model.schedule, told.network))
    return own, told.named(), told.scales


def read_from(network: nn.Module) -> Source | None:
    """Where a network was read, if it is still as it is there."""
    source: Source | None = getattr(network, "source", None)
    if source is None:
        return None
    theirs = fetch(source)
    ours, other = network.state_dict(), theirs.state_dict()
    alike = same(arguments(network), arguments(theirs)) and ours.keys() == other.keys()
    alike = alike and all(
        torch.equal(value, other[key].to(value.device, value.dtype)) for key, value in ours.items()
    )
    return theirs.source if alike else None


def fetch(source: Source, device: Any = "cpu") -> Any:
    """Read a network from where it was read before."""
    made = hub.component(
        source.place, revision=source.commit, dtype=source.dtype, variant=source.variant,
        device=device,
    )  # fmt: skip
    vars(made)["source"] = resolved(source, folder_of(source))
    return made


def of_weights(source: Source) -> str:
    """The hash of a network's weights."""
    return digest.of_weights(folder_of(source), source.variant)
