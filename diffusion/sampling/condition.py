"""What a sampling is conditioned on: labels, known modalities, known positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import tree
from ..base import Data, Guidance
from ..errors import InputError, MismatchError, suggest
from ..net.beside import OWN
from ..noise.joint import Joint
from ..tree import State
from .start import encoded, tensors

if TYPE_CHECKING:
    from ..model import Model


def conditions(
    model: Model[Any], y: Any, batch: int | None, guidance: Guidance | None = None
) -> tuple[State, int]:
    """Conditions as tensors on the model's device, and the batch size."""
    if isinstance(y, (str, int)):
        y = [y] * (batch or 1)
    if model.data.text is not None and _prompts(y):
        with torch.no_grad():
            y = model.cast(model.data.describe(y))
    if y is None:
        y = _null(model, 1 if batch is None else batch)
    elif hasattr(y, "__array__") and not isinstance(y, Tensor):
        y = torch.as_tensor(y)
    elif isinstance(y, Sequence):
        y = _ids(model, y)
    elif not isinstance(y, (Tensor, dict)):
        raise InputError(f"sample.y: expected class ids, names or tensors; got {type(y).__name__}.")
    size = tree.size(y)
    if size == 1 and batch is not None and batch > 1:  # one condition for all samples
        y, size = tree.map(lambda leaf: leaf.expand(batch, *leaf.shape[1:]), y), batch
    if batch is not None and batch != size:
        raise InputError(f"sample: batch={batch}, but y has {size} conditions.")
    if size < 1:
        raise InputError("sample.batch: expected at least 1, got 0.")
    labels = getattr(model.net, "labels", None)
    if labels == 0 and guidance is not None and guidance.reads:
        labels = None
    ids = y.get(OWN) if isinstance(y, dict) else y
    if labels is not None and isinstance(ids, Tensor) and not ids.is_floating_point():
        low, high = int(ids.min()), int(ids.max())
        least = getattr(model.net, "least", 0)
        if low < least or high > labels:
            raise InputError(
                f"sample.y: class ids must be {least or '0 (null)'} to {labels}; got "
                f"{low if low < least else high}."
            )
    return tree.to(y, model.device), size


def _prompts(y: Any) -> bool:
    """Whether conditions are texts, one for each sample."""
    listed = isinstance(y, Sequence) and len(y) > 0
    return listed and all(isinstance(one, str) for one in y)


def _null(model: Model[Any], size: int) -> State:
    """The null condition: class 0, or zeros like the conditions of the data."""
    if getattr(model.net, "labels", 0) or model.data.y is None:
        return torch.zeros(size, dtype=torch.long)
    like = tree.map(lambda leaf: torch.zeros_like(torch.as_tensor(leaf[:1])), model.data.y)
    return tree.map(lambda leaf: leaf.expand(size, *leaf.shape[1:]), like)


def _ids(model: Model[Any], names: Sequence[Any]) -> Tensor:
    """Class ids `[b]`, or `[b, n]` where every sample has a list of conditions."""
    lists = [one for one in names if isinstance(one, (list, tuple))]
    if not lists:
        return torch.tensor([_id(model, one) for one in names])
    if len(lists) < len(names) or len({len(one) for one in lists}) > 1:
        raise InputError(
            "sample.y: expected as many conditions for every sample; got "
            f"{[len(one) if one in lists else 1 for one in names][:20]}. 0 is the null condition."
        )
    return torch.tensor([[_id(model, one) for one in sample] for sample in lists])


def _id(model: Model[Any], name: Any) -> int:
    """A class id from a class name; where classes are called by numbers, those are names."""
    names = [str(one) for one in model.data.names]
    if isinstance(name, str):
        if name in names:
            return names.index(name) + 1
        if name.isdigit() and not names:
            return int(name)
        known = f"classes are {', '.join(names[:20])}" if names else "the model has no class names"
        raise InputError(f"sample.y: no class {name!r}; {known}.{suggest(name, names)}")
    return int(name)


def given(
    model: Model[Any], data: Data, given: dict[str, Any], z: State, times: list[Any]
) -> tuple[State, list[Any]]:
    """Put known modalities in place, at time 0 throughout."""
    if not isinstance(model.noise, Joint) or not hasattr(model.time, "parts"):
        raise MismatchError(
            "sample.given conditions one modality on another: it needs noise.Joint and a time of "
            "its own for each modality, time=time.Joint({...})."
        )
    unknown = set(given) - set(model.noise.parts)
    if unknown:
        raise InputError(f"sample.given: no modality {sorted(unknown)[0]!r}; there are {list(z)}.")
    parts: Any = getattr(data, "parts", {})
    state = {k: model.cast(parts[k].encode(w.to(model.device))) for k, w in given.items()}
    z = {**z, **state}
    zero = 0.0 if model.time.continuous else 0
    return z, [{key: zero if key in given else t for key in z} for t in times]


def known(model: Model[Any], data: Data, items: Any, mask: Any, z: State) -> tuple[Tensor, Tensor]:
    """Known items as states, and where they are kept, in the shape of the states."""
    if isinstance(z, dict) or isinstance(items, dict):
        raise InputError(
            "sample.known holds positions of single tensors; for a joint model give whole "
            "modalities, given={name: items}."
        )
    if mask is None:
        raise InputError("sample.known needs mask: a boolean tensor, True where items are kept.")
    w, mask = tensors("known", items), tensors("mask", mask)
    shape = tuple(z.shape)
    x = encoded("known", model, data, w.expand(len(z), *w.shape[1:]) if len(w) == 1 else w, shape)
    return x, positions(mask.to(x.device), w.shape[1:], x)


def positions(mask: Tensor, item: Sequence[int], x: Tensor) -> Tensor:
    """`mask` in the shape of the states `x` `[b, ...]`.

    It is of an item, or of a batch of them, and broadcasts as usual, from the right; where states
    have further axes (one-hot vectors), of the items, else of the states.
    """
    if mask.dtype != torch.bool:
        raise InputError(f"sample.mask: expected booleans, got {mask.dtype}.")
    more = x.dim() - 1 - len(item)
    of = tuple(item) if more >= 0 and tuple(x.shape[1 : 1 + len(item)]) == tuple(item) else None
    goal = tuple(x.shape) if of is None else (len(x), *of)
    try:
        found = mask.expand(goal)
    except RuntimeError:
        raise InputError(
            f"sample.mask: shape {list(mask.shape)} does not broadcast to {list(goal)}."
        ) from None
    return found if of is None else found.reshape(*goal, *(1,) * more).expand_as(x)
