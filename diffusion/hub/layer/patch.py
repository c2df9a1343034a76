r"""Pictures as tokens, patch by patch, and back. Dosovitskiy et al. 2021, section 3.1.

Positions are sines and cosines of $p \cdot 10000^{-i/n}$, a half of the features for the column and
a half for the row: Vaswani et al. 2017, section 3.5, on two axes.
"""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...errors import require
from .rope import precise


class PatchEmbed(nn.Module):
    """Latents `[b, channels, h, w]` as tokens `[b, (h/patch)·(w/patch), width]` that know where.

    Args:
        base: patches along a side in training; other sizes are stretched to it.
        scale: positions are divided by it. largest: a table of so many rows and columns belongs to
            the weights, and its middle is taken; `None` makes a table for each size.
    """

    def __init__(
        self, channels: int, width: int, patch: int, base: int, scale: float = 1.0,
        largest: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        require(width % 4 == 0, "PatchEmbed", "a width that is a multiple of 4", width)
        self.width, self.base, self.scale, self.largest = width, base, scale, largest
        self.proj = nn.Conv2d(channels, width, patch, patch)
        if largest is not None:
            table = places(largest, largest, width, base, scale, torch.get_default_device())
            self.register_buffer("pos_embed", table.unsqueeze(0))

    def forward(self, x: Tensor) -> Tensor:
        patches: Tensor = self.proj(x)
        found = patches.flatten(2).transpose(1, 2)
        rows, columns = patches.shape[2:]
        return (found + self._places(rows, columns, x.device)).to(found.dtype)

    def _places(self, rows: int, columns: int, device: torch.device) -> Tensor:
        if self.largest is None:
            return _kept(rows, columns, self.width, self.base, self.scale, device)
        most = self.largest
        top, left = (most - rows) // 2, (most - columns) // 2
        table = self.get_buffer("pos_embed").view(most, most, self.width)
        return table[top : top + rows, left : left + columns].flatten(0, 1)


def unpatch(x: Tensor, grid: Sequence[int], patch: Sequence[int]) -> Tensor:
    """Tokens `[b, n, ∏patch·c]` of a grid, as latents `[b, c, *sizes]`."""
    n = len(grid)
    axes = [axis for i in range(1, n + 1) for axis in (i, i + n)]
    x = x.reshape(x.shape[0], *grid, *patch, -1).permute(0, 2 * n + 1, *axes)
    return x.reshape(*x.shape[:2], *(g * p for g, p in zip(grid, patch, strict=True)))


def places(
    rows: int, columns: int, width: int, base: int, scale: float, device: torch.device
) -> Tensor:
    """Where each of `rows·columns` patches is, `[rows·columns, width]`."""
    # A table made in inference mode could not be used in training later.
    with torch.inference_mode(False), torch.no_grad():
        across = _waves(columns, width // 2, base, scale, device).expand(rows, -1, -1)
        down = _waves(rows, width // 2, base, scale, device).unsqueeze(1).expand(-1, columns, -1)
        return torch.cat([across, down], -1).flatten(0, 1)


_kept = functools.lru_cache(maxsize=8)(places)


def _waves(count: int, width: int, base: int, scale: float, device: torch.device) -> Tensor:
    """Sines, then cosines, of `count` places on a side, `[count, width]`."""
    work = precise(device)
    position = torch.arange(count, dtype=torch.float32, device=device) / (count / base) / scale
    rates = 10_000.0 ** (torch.arange(width // 2, dtype=work, device=device) / (width / 2))
    angle = position.to(work).outer(1 / rates)
    return torch.cat([angle.sin(), angle.cos()], -1).float()
