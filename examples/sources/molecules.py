"""MOSES (Polykovskiy et al. 2020): drug-like molecules as SMILES strings of 26 symbols.

A molecule is a row of 57 ids: its characters, then padding. The padding symbol is a symbol like
the others, so a model of rows also learns where a molecule ends.
"""

import gzip
import itertools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffusion.errors import FileError, require

from .cache import ensure
from .clients import wheel

PACKAGE = "molsets==0.3.1"
FILES = {
    name: f"moses/dataset/data/{name}"
    for name in ("train.csv.gz", "test.csv.gz", "test_scaffolds.csv.gz")
}
SYMBOLS = "#()-123456=BCFHNOS[]clnors"
PADDING = len(SYMBOLS)
LENGTH = 57


@dataclass(frozen=True)
class Moses:
    """Ids `[n, 57]` (uint8: 0..25 the symbols, 26 padding; `.long()` a batch before embedding it).

    `scaffolds` are test molecules whose Bemis-Murcko scaffolds are not in the other two parts.
    """

    train: Tensor
    test: Tensor
    scaffolds: Tensor


def moses(quick: bool = False) -> Moses:
    """1,584,663 molecules to train, 176,074 to test and 176,225 with other scaffolds.

    `quick` keeps the first 2,000, 200 and 200 of the parts.

    Raises:
        FileError: the package cannot be fetched, or a file is damaged.
    """
    folder = ensure("moses", list(FILES), lambda *at: wheel(PACKAGE, FILES, *at))
    limits = (2000, 200, 200) if quick else (None, None, None)
    parts = zip(FILES, limits, strict=True)
    return Moses(*(tokens(_lines(folder / name, limit)) for name, limit in parts))


def tokens(smiles: Sequence[str]) -> Tensor:
    """Ids `[n, 57]` of SMILES strings of at most 57 of the 26 symbols."""
    where = "sources.molecules.tokens"
    longest = max(map(len, smiles), default=0)
    require(longest <= LENGTH, where, f"at most {LENGTH} characters", longest)
    strange = sorted(set().union(*smiles) - set(SYMBOLS))
    require(not strange, where, f"only the symbols {SYMBOLS}", strange)
    rows = np.array(smiles, f"S{LENGTH}").view(np.uint8).reshape(-1, LENGTH)
    table = np.full(128, PADDING, np.uint8)
    table[np.frombuffer(SYMBOLS.encode(), np.uint8)] = np.arange(len(SYMBOLS))
    return torch.from_numpy(table[rows])


def strings(ids: Tensor) -> list[str]:
    """The SMILES of rows `[n, 57]`: what stands before the first padding."""
    table = np.frombuffer(f"{SYMBOLS}\0".encode(), np.uint8)
    ended = (ids == PADDING).cumsum(1) > 0
    rows = table[ids.masked_fill(ended, PADDING).cpu().numpy()]
    return [row.decode() for row in rows.view(f"S{ids.shape[1]}").ravel().tolist()]


def _lines(path: Path, limit: int | None) -> list[str]:
    """The first column of a gzipped CSV file, without its head."""
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            head = next(file, "").split(",")[0].strip()
            lines = [line.split(",")[0].strip() for line in itertools.islice(file, limit)]
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise FileError(f"{path}: expected a gzip file of text; got {error}.") from error
    if head != "SMILES" or not lines:
        raise FileError(f"{path}: expected a column SMILES; got {head!r}, {len(lines)} lines.")
    return lines
