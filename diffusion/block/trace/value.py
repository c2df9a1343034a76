"""What is kept of a value: a copy of its tensors, or of large ones their statistics and hash."""

from __future__ import annotations

import hashlib
import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...noise.split import Split

LIMIT, TOTAL = 4 << 20, 256 << 20
"""Bytes: of a tensor, and of all tensors of a trace."""


@dataclass(frozen=True)
class Summary:
    """A tensor without its values.

    Attributes:
        low, high, mean, deviation: of the finite values; 0 if there are none.
        bad: how many are NaN or infinite. sha256: of all bytes, or empty.
    """

    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    mean: float
    deviation: float
    bad: int
    sha256: str = ""


def summary(tensor: Tensor, hashed: bool = False) -> Summary:
    """The statistics of a tensor; with its hash if asked."""
    host = tensor.detach().cpu()
    values = (host.abs() if host.is_complex() else host).double().flatten()
    fine = values.isfinite()
    bad = int((~fine).sum())
    values = values[fine] if bad else values
    numbers = (0.0, 0.0, 0.0, 0.0)
    if len(values):
        mean, deviation = float(values.mean()), float(values.std(correction=0))
        numbers = float(values.min()), float(values.max()), mean, deviation
    digest = hashlib.sha256(raw(host)).hexdigest() if hashed else ""
    return Summary(tuple(tensor.shape), str(tensor.dtype)[6:], *numbers, bad, digest)


def raw(host: Tensor) -> Any:
    """The bytes of a tensor on the host, as an array."""
    return host.contiguous().reshape(-1).view(torch.uint8).numpy()


class Keeper:
    """Keeps values within bounds.

    Args:
        limit: bytes of a tensor, above which only its `Summary` is kept. total: of all together.
    """

    def __init__(self, limit: int = LIMIT, total: int = TOTAL) -> None:
        self.limit, self.left = limit, total
        self._seen: dict[int, tuple[weakref.ref[Tensor], int, Tensor]] = {}

    def __call__(self, value: Any) -> Any:
        """The same structure with tensors copied; what is neither data nor container stays."""
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, dict):
            return {key: self(one) for key, one in value.items()}
        if isinstance(value, Split):
            return Split(self(value.x), self(value.epsilon))
        if type(value) in (list, tuple):
            return type(value)(map(self, value))
        return value

    def _tensor(self, tensor: Tensor) -> Tensor | Summary:
        """A copy; the copy made before, if the tensor has not been changed since."""
        version = -1 if tensor.is_inference() else tensor._version
        known = self._seen.get(id(tensor))
        if known is not None and known[0]() is tensor and known[1] == version >= 0:
            return known[2]
        size = tensor.nbytes
        if size > self.limit or size > self.left:
            return summary(tensor, hashed=True)
        self.left -= size
        copy = (tensor.detach() if tensor.requires_grad else tensor).clone()
        self._seen[id(tensor)] = weakref.ref(tensor), version, copy
        return copy
