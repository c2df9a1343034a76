"""The six novels of Jane Austen, as written and as 27 symbols: a to z and the space.

Normalised as text8 is: lower case, and whatever is not a letter between a and z becomes one space.
The novels are joined in the alphabetical order of their keys and cut into three consecutive parts:
the first 90 % for training, the next 5 % for validation, the last 5 % for testing. (Both of these
lie in Sense and Sensibility, so names in the test part were seen in training.)
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffusion.errors import FileError, require

from .cache import ensure
from .clients import debian
from .rdata import lazy

PACKAGE = "r-cran-janeaustenr"
FILES = {
    name: f"usr/lib/R/site-library/janeaustenr/data/{name}" for name in ("Rdata.rdb", "Rdata.rdx")
}
SYMBOLS = "abcdefghijklmnopqrstuvwxyz "
TITLES = {
    "emma": "Emma",
    "mansfieldpark": "Mansfield Park",
    "northangerabbey": "Northanger Abbey",
    "persuasion": "Persuasion",
    "prideprejudice": "Pride and Prejudice",
    "sensesensibility": "Sense and Sensibility",
}


@dataclass(frozen=True)
class Austen:
    """Ids `[n]` (int64, 0..25 the letters, 26 the space) of the three parts, and the raw texts.

    `novels` maps each title to the text as printed, lines joined by newlines.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    novels: dict[str, str]


def austen(quick: bool = False) -> Austen:
    """3,871,378 symbols: 3,484,240 to train, 193,569 to validate, 193,569 to test.

    `quick` keeps the first 65,536, 4,096 and 4,096 of the parts.

    Raises:
        FileError: the package cannot be fetched, or a file is damaged.
    """
    folder = ensure("austen", list(FILES), lambda *at: debian(PACKAGE, FILES, *at))
    novels = _novels(folder)
    ids = encode(" ".join(normalise(text) for text in novels.values()))
    train, test = len(ids) * 18 // 20, len(ids) * 19 // 20
    parts = ids[:train], ids[train:test], ids[test:]
    if quick:
        parts = parts[0][:65536], parts[1][:4096], parts[2][:4096]
    return Austen(*parts, novels)


def normalise(text: str) -> str:
    """`text` in the 27 symbols, without spaces at its ends."""
    return re.sub("[^a-z]+", " ", text.lower()).strip()


def encode(text: str) -> Tensor:
    """Ids `[n]` of a text in the 27 symbols."""
    strange = sorted(set(text) - set(SYMBOLS))
    require(not strange, "sources.novels.encode", "only a-z and spaces", strange, "Normalise it.")
    letters = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64)
    return torch.from_numpy(np.where(letters == ord(" "), 26, letters - ord("a")))


def decode(ids: Tensor) -> str:
    """The text of ids `[n]`."""
    table = np.frombuffer(SYMBOLS.encode("ascii"), np.uint8)
    return bytes(table[ids.cpu().numpy()]).decode("ascii")


def _novels(folder: Path) -> dict[str, str]:
    books = lazy(folder / "Rdata.rdx", folder / "Rdata.rdb")
    if set(books) != set(TITLES):
        raise FileError(f"{folder}: expected the novels {', '.join(TITLES)}; got {sorted(books)}.")
    return {title: "\n".join(books[key]) for key, title in TITLES.items()}
