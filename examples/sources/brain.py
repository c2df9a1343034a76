"""A head in magnetic resonance (Debian `mricron-data`, BSD-3): slices of one brain, T1-weighted.

`ch2better.nii.gz` is the mean of 27 scans of one person (Holmes et al. 1998), without the skull:
301×370×316 voxels of 0.5 mm, in bytes of which only 0..130 are used; most of it is air.
"""

import gzip
import itertools
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from diffusion.errors import FileError

from .cache import LIMIT, ensure
from .clients import debian

PACKAGE = "mricron-data"
FILES = {"ch2better.nii.gz": "usr/share/mricron/templates/ch2better.nii.gz"}
TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
"""Voxel types by their code, `datatype`; NIfTI-1 standard, nifti1.h."""
HEADER = 348
SIZE, CELL, CELLS = 32, 4, 3
"""Pixels along an edge; voxels along a cell; cells along a pixel, which has 6 mm."""
PERIOD, HELD, GAP = 40, 8, 4
"""Of 40 slices in a row 8 are held out, and the 4 on either side of them are in neither part."""


@dataclass(frozen=True)
class Slices:
    """Axial slices `[n, 1, 32, 32]`, bytes; the front of the head is up.

    Each training slice is there in nine samplings, a third of a pixel apart, and mirrored. Test
    slices are there once. No test slice is within 2 mm of a training slice.
    """

    images: Tensor
    test_images: Tensor


def mri(quick: bool = False) -> Slices:
    """Slices of the brain. `quick` keeps one sampling of every training slice, not mirrored.

    Raises:
        FileError: the package cannot be fetched, or the file is damaged.
    """
    folder = ensure("mri", list(FILES), lambda *at: debian(PACKAGE, FILES, *at))
    whole = nifti(folder / "ch2better.nii.gz")
    planes = whole.permute(2, 1, 0).flip(1)  # [axial, front to back, left to right]
    planes = planes[(planes > 0).double().mean((1, 2)) > 0.05]  # those that cut through brain
    cells, (train, test) = celled(planes), parts(len(planes))
    shifts = [(0, 0)] if quick else [*itertools.product(range(CELLS), repeat=2)]
    images = torch.cat([pixels(cells[train], *shift) for shift in shifts])
    images = images if quick else torch.cat([images, images.flip(-1)])
    return Slices(images, pixels(cells[test]))


def parts(count: int) -> tuple[Tensor, Tensor]:
    """Indices of the training and of the test slices, of `count` slices in a row."""
    at = torch.arange(count) % PERIOD
    middle = (PERIOD - HELD) // 2
    held = (at >= middle) & (at < middle + HELD)
    near = (at >= middle - GAP) & (at < middle + HELD + GAP)
    return torch.nonzero(~near).flatten(), torch.nonzero(held).flatten()


def celled(planes: Tensor) -> Tensor:
    """Planes `[n, h, w]` in the middle of air, averaged over cells, `[n, 1, 98, 98]`."""
    edge = CELL * (SIZE * CELLS + CELLS - 1)
    height, width = planes.shape[1:]
    top, left = (edge - height) // 2, (edge - width) // 2
    around = (left, edge - width - left, top, edge - height - top)
    return F.avg_pool2d(F.pad(planes.unsqueeze(1), around), CELL)


def pixels(cells: Tensor, down: int = 0, across: int = 0) -> Tensor:
    """Cells averaged over pixels, which begin `down` and `across` cells later, as bytes."""
    edge = SIZE * CELLS
    mean = F.avg_pool2d(cells[..., down : down + edge, across : across + edge], CELLS)
    return mean.round().clamp(0, 255).to(torch.uint8)


def nifti(path: Path) -> Tensor:
    """The volume of a gzipped NIfTI-1 file, `[x, y, z]` in float32, scaled as its header says.

    Either byte order; three axes, or further ones of length 1. Voxels are `stored·scl_slope +
    scl_inter`, unless the slope is 0.

    Raises:
        FileError: the file is damaged, or of a kind that this reader does not know.
    """
    try:
        with gzip.open(path) as file:
            raw = file.read(LIMIT)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path}: expected a gzip file; got {error}.") from error
    order = {HEADER.to_bytes(4, "little"): "<", HEADER.to_bytes(4, "big"): ">"}.get(raw[:4])
    if len(raw) < HEADER + 4 or order is None or raw[344:348] != b"n+1\0":
        raise FileError(
            f"{path}: expected a NIfTI-1 file, whose header says {HEADER} bytes and n+1; got "
            f"{len(raw):,} bytes that begin with {raw[:4].hex(' ')}. Delete its folder to fetch it "
            "again."
        )
    return _voxels(path, raw, order)


def _voxels(path: Path, raw: bytes, order: str) -> Tensor:
    rank, *sizes = struct.unpack_from(f"{order}8h", raw, 40)
    (code,) = struct.unpack_from(f"{order}h", raw, 70)
    offset, slope, inter = struct.unpack_from(f"{order}3f", raw, 108)
    used = sizes[: max(rank, 0)]
    if rank not in range(3, 8) or min(used) < 1 or max(used[3:], default=1) > 1:
        raise FileError(f"{path}: expected a volume of three axes; got {rank} axes, {sizes}.")
    if code not in TYPES:
        raise FileError(f"{path}: voxels of type {code}; this reader knows {sorted(TYPES)}.")
    kind, count = np.dtype(order + TYPES[code]), math.prod(used)
    start = int(offset) if math.isfinite(offset) else -1
    if start < HEADER + 4 or start + count * kind.itemsize != len(raw):
        raise FileError(
            f"{path}: expected {count:,} voxels of {kind.itemsize} bytes from byte {offset:g} on; "
            f"got a file of {len(raw):,} bytes. Delete its folder to fetch it again."
        )
    flat = np.frombuffer(raw, kind, count, start).astype(np.float32)
    if slope and math.isfinite(slope) and math.isfinite(inter):
        flat = flat * slope + inter
    volume = torch.from_numpy(flat.reshape(used[:3], order="F").copy())
    if not volume.isfinite().all():
        raise FileError(f"{path}: some voxels are not finite numbers.")
    return volume
