"""What a file says about one layer, and the change of the weight that it stands for.

    W' = W + strength·Δ,   Δ = s·B·A,   s = alpha/r                              Hu et al. 2021
    Δ = m·(W + s·B·A)/|W + s·B·A| - W, norms by output or by input    DoRA: Liu et al. 2024, eq. 5

The kernel of a convolution is a matrix `[out, in·k·k]`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Update(NamedTuple):
    """The factors of one layer.

    Attributes:
        name: in the file. down: A `[r, in, ...]`. up: B `[out, r]`. scale: s.
        magnitude: m of DoRA, `[out, 1, ...]` by output or `[1, in, ...]` by input.
    """

    name: str
    down: Tensor
    up: Tensor
    scale: float
    magnitude: Tensor | None = None

    def fits(self, weight: Tensor) -> bool:
        """Whether it is for a layer of this weight; a linear layer is a 1×1 convolution."""
        same = _short(self.down.shape[1:]) == _short(weight.shape[1:])
        m = self.magnitude
        sized = m is None or m.numel() == weight.shape[0 if self._by_output(weight) else 1]
        return same and self.up.shape[0] == weight.shape[0] and sized

    def delta(self, weight: Tensor) -> Tensor:
        """Δ for a weight, in float32 at least."""
        base = weight.detach().to(torch.promote_types(weight.dtype, torch.float32))
        down, up = self.down.flatten(1).to(base), self.up.to(base)
        change = (self.scale * (up @ down)).reshape(base.shape)
        if self.magnitude is None:
            return change
        kept = 0 if self._by_output(weight) else 1
        axes = [axis for axis in range(base.dim()) if axis != kept]
        sizes = [-1 if axis == kept else 1 for axis in range(base.dim())]
        whole = base + change
        norm = torch.linalg.vector_norm(whole, dim=axes, keepdim=True)
        norm = norm.clamp_min(torch.finfo(norm.dtype).tiny)
        dora: Tensor = whole * (self.magnitude.to(base).reshape(sizes) / norm) - base
        return dora

    def rows(self, slices: Sequence[slice]) -> Update:
        """The update of some of the outputs."""
        m = self.magnitude
        if m is not None:
            m = torch.cat([m[one] for one in slices])
        return self._replace(up=torch.cat([self.up[one] for one in slices]), magnitude=m)

    def _by_output(self, weight: Tensor) -> bool:
        return self.magnitude is not None and self.magnitude.shape[0] == weight.shape[0]


def fold(weight: Tensor, changes: Iterable[tuple[Update, float]]) -> Tensor:
    """W + Σ strength·Δ(W), summed in float32 at least, in W's precision."""
    total = weight.detach().to(torch.promote_types(weight.dtype, torch.float32))
    for update, strength in changes:
        total = total + strength * update.delta(weight)
    return total.to(weight.dtype)


def _short(shape: Sequence[int]) -> tuple[int, ...]:
    """Sizes without kernels of one pixel."""
    one = math.prod(shape[1:]) == 1
    return tuple(shape[:1] if one else shape)
