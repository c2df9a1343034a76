r"""Rotary positions: queries and keys turn by an angle that grows with the position.

    (a_j, b_j) <- (a_j·cos(p·w_j) - b_j·sin(p·w_j), a_j·sin(p·w_j) + b_j·cos(p·w_j))

with w_j = base^(-j/n), so that their product depends on the distance alone. Su et al. 2021,
equation 15. On grids each axis turns a share of the pairs of its own.
"""

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

Tables = tuple[Tensor, Tensor]


@functools.lru_cache(maxsize=8)
def tables(
    shape: tuple[int, ...], size: int, base: float, device: torch.device, dtype: torch.dtype
) -> Tables:
    """Cosines and signed sines `[positions, size]` for the positions of a grid, row by row.

    Args:
        shape: of the grid; `(l,)` for sequences. size: of a head, a multiple of 2·len(shape).
        base: about the longest distance, in positions, that the angles tell apart.
    """
    # A table made in inference mode could not be used in training later.
    with torch.inference_mode(False), torch.no_grad():
        angle = _angles(shape, size, base, device, dtype)
        cos, sin = angle.cos(), angle.sin()
        return torch.cat([cos, cos], -1).to(dtype), torch.cat([-sin, sin], -1).to(dtype)


@functools.lru_cache(maxsize=8)
def places(
    shape: tuple[int, ...], size: int, base: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Cosines and sines `[positions, size]` of the same angles, to say where a position is.

    Turned heads know distances only: equal tokens would stay equal, wherever they are.
    """
    with torch.inference_mode(False), torch.no_grad():
        angle = _angles(shape, size, base, device, dtype)
        return torch.cat([angle.cos(), angle.sin()], -1).to(dtype)


def rotate(x: Tensor, turn: Tables) -> Tensor:
    """Turn the heads `[b, positions, ..., size]` by their positions."""
    cos, sin = (v.view(v.shape[0], *(1,) * (x.dim() - 3), v.shape[1]) for v in turn)
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)


def _angles(
    shape: tuple[int, ...], size: int, base: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Angles `[positions, size / 2]`: an equal share of them for each axis."""
    work = torch.float64 if dtype == torch.float64 else torch.float32
    count = size // (2 * len(shape))
    index = torch.arange(count, dtype=work, device=device)
    speed = torch.exp(index * (-math.log(base) / count))
    angles = [
        _along(torch.arange(length, dtype=work, device=device).outer(speed), axis, shape)
        for axis, length in enumerate(shape)
    ]
    return torch.cat(angles, -1).flatten(0, -2)


def _along(angle: Tensor, axis: int, shape: Sequence[int]) -> Tensor:
    """Spread `[length, n]` over a grid: `[*shape, n]`."""
    ones = [1] * len(shape)
    ones[axis] = shape[axis]
    return angle.view(*ones, -1).expand(*shape, -1)
