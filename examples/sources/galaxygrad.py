"""Score networks of galaxies (galaxygrad 0.1.9, by Matt Sampson): weights trained elsewhere.

The package names no licence, so its files are fetched for use, and are no part of this project.
Each holds the arrays of one network, one after the other in NumPy's format, and at the end the
time T at which its process stops.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffusion.errors import FileError, choose

from .cache import ensure
from .clients import wheel

PACKAGE = "galaxygrad==0.1.9"
FILES = {
    name: f"galaxygrad/eqx_{file}.eqx"
    for name, file in {
        "hsc32": "hsc_ScoreNet32",
        "hsc64": "hsc_ScoreNet64",
        "ztf32": "ZTF_ScoreNet32",
        "ztf64": "ZTF_ScoreNet64",
        "lsst60": "lsst_ScoreNet60",
        "quasar72": "quasar_lens72",
    }.items()
}
"""By survey (Hyper Suprime-Cam, Zwicky Transient Facility, LSST, lensed quasars) and side."""


def galaxygrad(name: str = "hsc32") -> tuple[list[Tensor], int]:
    """The arrays of a network in the order of its file, T the last, and the side of its pictures.

    Raises:
        FileError: the package cannot be fetched, or the file is damaged.
    """
    choose("galaxygrad.name", name, tuple(FILES))
    folder = ensure("galaxygrad", list(FILES), lambda *at: wheel(PACKAGE, FILES, *at))
    return arrays(folder / name), int(name[-2:])


def arrays(path: Path) -> list[Tensor]:
    """Every array of a file of consecutive arrays; pickled objects are refused."""
    found = []
    size = path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < size:
            try:
                found.append(torch.from_numpy(np.load(file, allow_pickle=False)))
            except (ValueError, EOFError, OSError, TypeError) as error:
                raise FileError(
                    f"{path}: expected NumPy arrays one after the other; number {len(found) + 1} "
                    f"can't be read: {error}. Delete its folder to fetch it again."
                ) from error
    return found
