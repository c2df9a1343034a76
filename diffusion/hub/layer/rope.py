r"""Rotary positions on any number of axes: pairs of features turn by angles. Su et al. 2021.

    (a_j, b_j) <- (a_j·cos(p·w_j) - b_j·sin(p·w_j), a_j·sin(p·w_j) + b_j·cos(p·w_j))

with w_j = 10000^(-2j/size); each axis turns features of its own. A pair is two neighbours.
"""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

Turns = tuple[Tensor, Tensor]
"""Cosines and sines, `[n, size / 2]`."""


def turns(ids: Tensor, sizes: Sequence[int]) -> Turns:
    """For tokens at `ids` `[n, axes]`; `sizes` says how many features an axis turns."""
    work = precise(ids.device)
    angles = []
    for position, size in zip(ids.unbind(-1), sizes, strict=True):
        rates = 10_000.0 ** (torch.arange(0, size, 2, dtype=work, device=ids.device) / size)
        angles.append(position.to(work).outer(1 / rates))
    angle = torch.cat(angles, -1)
    return angle.cos().float(), angle.sin().float()


@functools.lru_cache(maxsize=8)
def grid_turns(grid: tuple[int, ...], sizes: tuple[int, ...], device: torch.device) -> Turns:
    """For the tokens of a grid, the last axis the fastest."""
    # A table made in inference mode could not be used in training later.
    with torch.inference_mode(False), torch.no_grad():
        axes = (torch.arange(n, device=device) for n in grid)
        return turns(torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2), sizes)


def rotate(x: Tensor, by: Turns) -> Tensor:
    """Turn heads `[b, heads, n, size]`, in float32 at least."""
    cos, sin = by
    a, b = x.view(*x.shape[:-1], -1, 2).unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2).to(x.dtype)


def precise(device: torch.device) -> torch.dtype:
    """The best precision for angles: MPS has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64
