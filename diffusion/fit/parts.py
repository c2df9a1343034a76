"""The networks of a model, as one module: what is trained, moved, averaged and checkpointed."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..base import Data, Net


def parts(net: Net, data: Data, loss: Any) -> nn.Module:
    """One module that holds every network of the model, those that a loss trains included."""
    made = nn.Module()
    made.net = net
    made.data = nn.ModuleDict(data.modules())
    terms = [] if loss is None else loss.terms()
    owned = {f"{k}{i}": m for i, (_, term) in enumerate(terms) for k, m in _owned(term).items()}
    if owned:  # absent otherwise: folders of models without any stay as they are
        made.loss = nn.ModuleDict(owned)
    return made


def _owned(term: Any) -> dict[str, nn.Module]:
    """The networks a loss trains, by name: what its method `modules` says."""
    of = getattr(term, "modules", dict)
    named: dict[str, nn.Module] = of()
    return named
