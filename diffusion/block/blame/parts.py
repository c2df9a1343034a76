"""Settings and weights that differ between two blocks, and the layer of a network that does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...component import Component, arguments
from ...model import Model
from ...sampling import weights
from ..base import Block
from ..difference import difference
from ..trace.settings import unwired

SHOWN = 8
"""Settings that are named, at most."""


def settled(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Settings that differ, as `path: a → b`; of what is another class, only that."""
    said: list[str] = []
    other = ""
    for path in {**ours, **theirs}:
        a, b = ours.get(path, "none"), theirs.get(path, "none")
        if a != b and not (other and path.startswith(other)):
            said.append(f"{path}: {_named(a)} → {_named(b)}")
            other = f"{path}."
    return said if len(said) <= SHOWN else [*said[:SHOWN], f"and {len(said) - SHOWN} more"]


def _named(value: Any) -> str:
    """A setting as it is shown: version 1 goes without saying."""
    return str(value).removesuffix(" (version 1)")


def networks(block: Block) -> dict[str, nn.Module]:
    """The networks in a block's arguments, by path; of a model those that sampling uses."""
    found: dict[str, nn.Module] = {}
    for name, value in arguments(unwired(block)).items():
        if isinstance(value, Model):
            net, data = weights(value)
            found[f"{name}.net"] = net
            found |= {f"{name}.data.{key}": one for key, one in data.modules().items()}
            found |= _held(f"{name}.guidance", value.guidance)
        else:
            found |= _held(name, value)
    return found


def _held(path: str, value: Any) -> dict[str, nn.Module]:
    if isinstance(value, nn.Module):
        return {path: value}
    if not isinstance(value, Component):
        return {}
    inner = arguments(value).items()
    return {k: net for name, one in inner for k, net in _held(f"{path}.{name}", one).items()}


def weighed(ours: dict[str, nn.Module], theirs: dict[str, nn.Module]) -> list[str]:
    """The first weights that differ in each network."""
    said = []
    for path in ours.keys() & theirs.keys():
        if ours[path] is theirs[path]:
            continue
        own, other = ours[path].state_dict(), theirs[path].state_dict()
        both = [name for name in own if name in other]
        changed = [name for name in both if _apart(own[name], other[name])]
        for name in changed[:1]:
            more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
            said.append(f"{path}.{name}: {_apart(own[name], other[name])}{more}")
    return sorted(said)


def _apart(a: Tensor, b: Tensor) -> str:
    return "" if a is b else str(difference(a, b) or "")


def layer(
    ours: nn.Module, theirs: nn.Module, ask: Callable[[], Any], other_ask: Callable[[], Any]
) -> str:
    """The first layer of a network, in the order they run, that makes something else.

    Args:
        ask, other_ask: what makes each network say something of the same state.
    """
    own, other = _outputs(ours, ask), _outputs(theirs, other_ask)
    for name, made in own.items():
        found = difference(made, other[name]) if name and name in other else None
        if found is not None:
            return f"layer {name}: {found}"
    return ""


def _outputs(net: nn.Module, ask: Callable[[], Any]) -> dict[str, Any]:
    """What every layer makes, by name."""
    made: dict[str, Any] = {}

    def heard(name: str) -> Callable[..., None]:
        return lambda _, __, output: made.setdefault(name, output)

    hooks = [one.register_forward_hook(heard(name)) for name, one in net.named_modules()]
    try:
        with torch.no_grad():
            ask()
    finally:
        for hook in hooks:
            hook.remove()
    return made
