"""The networks a data transform owns: found, trained, and exchanged for their averages."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .. import tree
from ..component import Component
from .exam import Exam, Verdict, exam, gap, skip

if TYPE_CHECKING:
    from .data import Case


@exam(
    "networks are found",
    "modules() names every network the transform owns, so that it is trained, moved and saved.",
    "Assign networks to attributes, not to lists or dicts (nn.ModuleList is a network).",
)
def found(case: Case) -> Verdict:
    listed = {id(m) for module in case.data.modules().values() for m in module.modules()}
    lost = [name for name, module in _networks(vars(case.data)) if id(module) not in listed]
    names = ", ".join(case.data.modules()) or "none"
    return not lost, f"not found: {', '.join(lost)}" if lost else names


def _networks(value: Any, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    if isinstance(value, nn.Module):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _networks(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from _networks(item, f"{path}[{i}]")
    elif isinstance(value, Component):
        yield from _networks(vars(value), path)


@exam(
    "networks train",
    "Every trainable parameter of the transform gets a gradient from encode.",
    "Do not detach, and do not encode under no_grad; freeze with requires_grad_(False).",
)
def train(case: Case) -> Verdict:
    named = [
        (f"{name}.{key}", value)
        for name, module in case.data.modules().items()
        for key, value in module.named_parameters()
        if value.requires_grad
    ]
    if not named:
        return skip("no trainable parameters")
    x = case.data.encode(case.w)
    weights = [torch.randn_like(leaf) for leaf in tree.leaves(x)]
    total = sum((leaf * r).sum() for leaf, r in zip(tree.leaves(x), weights, strict=True))
    if not (isinstance(total, Tensor) and total.requires_grad):
        return False, "encode is cut off from the parameters"
    grads = torch.autograd.grad(total, [value for _, value in named], allow_unused=True)
    lost = [n for (n, _), g in zip(named, grads, strict=True) if g is None or not g.any()]
    return not lost, f"none for {', '.join(lost)}" if lost else f"{len(named)} parameters"


@exam(
    "using",
    "data.using(copies) encodes with the copies: sampling uses averaged weights that way.",
    "Keep networks in attributes, and read them there in encode and decode.",
)
def using(case: Case) -> Verdict:
    own = case.data.modules()
    if not own:
        return skip("no networks")
    others = {name: copy.deepcopy(module) for name, module in own.items()}
    for module in others.values():
        for value in module.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.randn_like(value))
    moved = gap(case.data.using(others).encode(case.w), case.x)
    same = gap(case.encode(case.w), case.x)
    return moved > 0 and same == 0, f"the copy moved by {moved:.2g}, the original by {same:.2g}"


EXAMS: tuple[Exam, ...] = (found, train, using)
