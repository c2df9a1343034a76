"""Fetching batches of items, and looking at data before training on them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from .. import tree
from ..base import Data
from ..errors import InputError
from ..tree import State


def length(w: State) -> int:
    """How many items there are."""
    return len(tree.leaves(w)[0])


def fetch(data: Data, index: Tensor) -> tuple[State, State]:
    """Items and conditions at `index` `[b]`: one gather for tensors and arrays."""
    w = tree.map(lambda leaf: _gather(leaf, index), data.w)
    y = data.y
    if isinstance(w, (tuple, list)):  # a data set of (w, y) pairs
        if len(w) != 2:
            raise InputError(
                f"{type(data).__name__}.w: items of a data set must be w or (w, y); got {len(w)}."
            )
        w, own = w
        y_batch = own if y is None else tree.map(lambda leaf: _gather(leaf, index), y)
    elif y is None:
        y_batch = torch.zeros(len(index), dtype=torch.long)
    else:
        y_batch = tree.map(lambda leaf: _gather(leaf, index), y)
    return w, y_batch


def _gather(source: Any, index: Tensor) -> Any:
    if isinstance(source, Tensor):
        return source.index_select(0, index.to(source.device))
    if isinstance(source, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(source[index.numpy()]))
    return default_collate([source[int(i)] for i in index])


def inspect(data: Data) -> None:
    """Raise on data no model can be trained on: empty, NaN, conditions that do not match."""
    name = type(data).__name__
    count = length(data.w)
    if count == 0:
        raise InputError(f"{name}.w is empty: expected at least one item.")
    for leaf in tree.leaves(data.w):
        if len(leaf) != count:
            raise InputError(f"{name}.w: modalities have {count} and {len(leaf)} items.")
        finite(leaf, f"{name}.w")
    if data.batch < 1:
        raise InputError(f"{name}.batch: expected at least 1, got {data.batch}.")
    if data.y is not None:
        given = len(tree.leaves(data.y)[0])
        if given != count:
            raise InputError(f"{name}: {count} items w but {given} conditions y.")
        for leaf in tree.leaves(data.y):
            finite(leaf, f"{name}.y")


def finite(values: Any, where: str) -> None:
    """Raise if a tensor or array in memory holds NaN or infinity, naming the first item."""
    mapped = isinstance(values, np.memmap)
    if mapped or not isinstance(values, (Tensor, np.ndarray)):
        return
    tensor = torch.as_tensor(values)
    if tensor.is_floating_point() and not tensor.isfinite().all():
        bad = ~tensor.isfinite().flatten(1).all(1) if tensor.dim() > 1 else ~tensor.isfinite()
        first = int(bad.nonzero()[0])
        raise InputError(
            f"{where}: {int(bad.sum())} of {len(tensor)} items hold NaN or infinity, the first is "
            f"item {first}. Remove or repair them."
        )
