"""Less memory for large pictures: tiles that overlap, and are blended where they do."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ...errors import require
from ...net.sizes import positive
from .base import Autoencoder


class Tiled(Autoencoder):
    """An autoencoder that sees tiles of at most `tile`×`tile` latents.

    The largest activation shrinks with the tile. Tiles give the numbers of the whole picture where
    layers see no further than a quarter of the overlap. Group norms and attention see all of a
    tile and nothing else: with them the result is another one, the closer the larger the tile.

    Args:
        tile: height and width, in latents: 64 is 512 pixels of Stable Diffusion.
        overlap: of neighbours, at least, in latents. Its outer quarters, where a tile misses its
            surroundings most, are not used; between them one tile fades linearly into the next.
    """

    def __init__(self, autoencoder: Autoencoder, tile: int = 64, overlap: int = 16) -> None:
        positive("Tiled", tile=tile)
        require(0 <= overlap < tile, "Tiled.overlap", f"0 to {tile - 1}, below the tile", overlap)
        self.autoencoder, self.tile, self.overlap = autoencoder, tile, overlap

    @property
    def factor(self) -> int:
        return self.autoencoder.factor

    @property
    def variational(self) -> bool:
        return self.autoencoder.variational

    def code(self, x: Tensor) -> Tensor:
        unit = self.factor
        fits = x.dim() >= 4 and all(n >= unit and n % unit == 0 for n in x.shape[-2:])
        fix = "Crop or pad it, or use the autoencoder without tiles."
        self._expect("encode", x, f"x with sides that are multiples of {unit} pixels", fits, fix)
        return self._blend(self.autoencoder.code, x, unit, 1)

    def decode(self, z: Tensor) -> Tensor:
        self._expect("decode", z, "z [b, c, ..., height, width]", z.dim() >= 4)
        return self._blend(self.autoencoder.decode, z, 1, self.factor)

    def _blend(self, run: Callable[[Tensor], Tensor], x: Tensor, unit: int, to: int) -> Tensor:
        """The sum of weighted tiles; a latent is `unit` pixels of `x` and `to` of the result."""
        axes = [Axis(n // unit, self.tile, self.overlap) for n in x.shape[-2:]]
        precise = torch.promote_types(x.dtype, torch.float32)
        down, across = (axis.weights(to, x.device, precise) for axis in axes)
        total, dtype = None, x.dtype
        for i, row in enumerate(axes[0].spans()):
            for j, column in enumerate(axes[1].spans()):
                found = run(x[..., _times(row, unit), _times(column, unit)])
                size = (row.stop - row.start) * to, (column.stop - column.start) * to
                wanted = f"tiles of {size[0]}×{size[1]} from {type(self.autoencoder).__name__}"
                fits = found.shape[-2:] == size
                require(fits, "Tiled", wanted, tuple(found.shape[-2:]), "Run it without tiles.")
                place = ..., _times(row, to), _times(column, to)
                weighted = found * down[i, place[1], None] * across[j, place[2]]
                if total is None:
                    sides = (axis.length * to for axis in axes)
                    total, dtype = weighted.new_zeros(*found.shape[:-2], *sides), found.dtype
                total[place] += weighted
        assert total is not None
        return total.to(dtype)


class Axis(NamedTuple):
    """As few tiles of equal size as cover `length`."""

    length: int
    tile: int
    overlap: int

    def spans(self) -> list[slice]:
        """Where they lie."""
        if self.length <= self.tile:
            return [slice(0, self.length)]
        count = -((self.overlap - self.length) // (self.tile - self.overlap))
        size = -(-(self.length + (count - 1) * self.overlap) // count)
        starts = (i * (self.length - size) // (count - 1) for i in range(count))
        return [slice(start, start + size) for start in starts]

    def weights(self, unit: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Of each tile at every pixel, `[tiles, length·unit]`; they sum to one."""
        at = torch.arange(self.length * unit, dtype=torch.float64) + 0.5
        quarter = max(self.overlap * unit / 4, 1e-9)
        ramps = []
        for span in self.spans():
            inside = torch.full_like(at, torch.inf)
            if span.start > 0:
                inside = at - span.start * unit
            if span.stop < self.length:
                inside = torch.minimum(inside, span.stop * unit - at)
            ramps.append(((inside - quarter) / (2 * quarter)).clamp(0, 1))
        stacked = torch.stack(ramps)
        return (stacked / stacked.sum(0)).to(device, dtype)


def _times(span: slice, unit: int) -> slice:
    return slice(span.start * unit, span.stop * unit)
