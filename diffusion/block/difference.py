"""Where two values differ, and by how much."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..component import same
from ..noise.split import Split
from .trace.value import Summary, summary


class Difference(NamedTuple):
    """The first place where two values differ.

    Attributes:
        where: its names in maps and lists. what: for people. largest: of numbers, in absolute
            terms; infinite if they can't be compared.
    """

    where: str
    what: str
    largest: float = float("inf")

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


def difference(a: Any, b: Any, tolerance: float = 0.0, where: str = "") -> Difference | None:
    """The first difference, or None. NaN equals NaN.

    Args:
        tolerance: how far numbers may be apart, relative to the largest of their tensor.
    """
    if isinstance(a, Split) and isinstance(b, Split):
        a, b = {"x": a.x, "epsilon": a.epsilon}, {"x": b.x, "epsilon": b.epsilon}
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            return Difference(where, f"{', '.join(map(str, a))} → {', '.join(map(str, b))}")
        pairs = [(str(key), a[key], b[key]) for key in a]
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if len(a) != len(b):
            return Difference(where, f"{len(a)} entries → {len(b)}")
        pairs = [(str(i), x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]
    else:
        return _single(a, b, tolerance, where)
    inner = (difference(x, y, tolerance, f"{where}.{k}".lstrip(".")) for k, x, y in pairs)
    return next((one for one in inner if one is not None), None)


def _single(a: Any, b: Any, tolerance: float, where: str) -> Difference | None:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return _tensors(a, b, tolerance, where)
    if isinstance(a, Summary) or isinstance(b, Summary):
        return _summaries(a, b, tolerance, where)
    numbers = all(isinstance(one, float) for one in (a, b))
    if numbers and abs(a - b) <= tolerance * abs(a):
        return None
    return None if same(a, b) else Difference(where, f"{a!r:.60} → {b!r:.60}")


def _tensors(a: Tensor, b: Tensor, tolerance: float, where: str) -> Difference | None:
    if a.shape != b.shape:
        return Difference(where, f"shape {list(a.shape)} → {list(b.shape)}")
    if a.dtype != b.dtype:
        return Difference(where, f"{str(a.dtype)[6:]} → {str(b.dtype)[6:]}")
    a, b = a.detach().cpu(), b.detach().cpu()
    if a.numel() == 0 or torch.equal(a, b):
        return None
    if not a.is_complex():
        a, b = a.double(), b.double()
    bad = int((~a.isfinite()).sum()), int((~b.isfinite()).sum())
    alike = (a == b) | (a.isnan() & b.isnan())
    if (a.isfinite() != b.isfinite()).any():
        return Difference(where, f"{bad[0]} → {bad[1]} values are NaN or infinite")
    gap = (a - b).abs().masked_fill(alike, 0.0)
    largest, size = float(gap.max()), float(a.abs().masked_fill(~a.isfinite(), 0.0).max())
    if alike.all() or largest <= tolerance * size:
        return None
    share = 100 * float((~alike).double().mean())
    said = f"{share:.3g} % of the values differ, by up to {largest:.3g}; the largest is {size:.3g}"
    return Difference(where, said, largest)


def _summaries(a: Any, b: Any, tolerance: float, where: str) -> Difference | None:
    """Of tensors too large to keep: by their hashes, or with a tolerance by their statistics."""
    a, b = (summary(one, hashed=True) if isinstance(one, Tensor) else one for one in (a, b))
    if not (isinstance(a, Summary) and isinstance(b, Summary)):
        return Difference(where, f"{a!r:.60} → {b!r:.60}")
    if a.sha256 == b.sha256 and a.sha256:
        return None
    if (a.shape, a.dtype, a.bad) != (b.shape, b.dtype, b.bad):
        return Difference(where, f"{a} → {b}")
    size = max(abs(a.low), abs(a.high))
    ours, theirs = (a.low, a.high, a.mean, a.deviation), (b.low, b.high, b.mean, b.deviation)
    gap = max(abs(x - y) for x, y in zip(ours, theirs, strict=True))
    if tolerance and gap <= tolerance * size:
        return None
    return Difference(where, f"the hash differs; statistics by up to {gap:.3g}", gap)
