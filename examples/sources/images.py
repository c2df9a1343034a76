"""Fashion-MNIST (Xiao, Rasul & Vollgraf 2017): 70,000 pictures of clothes in ten classes."""

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffusion.errors import FileError

from .cache import LIMIT, ensure
from .clients import debian

PACKAGE = "dataset-fashion-mnist"
FILES = {
    name: f"usr/share/datasets/fashion-mnist/{name}"
    for name in (
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    )
}
NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@dataclass(frozen=True)
class Fashion:
    """Pictures `[n, 1, 28, 28]` (uint8, 0 black, 255 white) and class ids `[n]` (int64, 1..10).

    `names[i - 1]` is the name of class `i`; 0 is left for the null condition.
    """

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    names: tuple[str, ...] = NAMES


def fashion(quick: bool = False) -> Fashion:
    """The training pictures (60,000) and the test pictures (10,000).

    `quick` keeps the first 64 and the first 16 of each class.

    Raises:
        FileError: the package cannot be fetched, or a file is damaged.
    """
    folder = ensure("fashion", list(FILES), lambda *at: debian(PACKAGE, FILES, *at))
    images, labels, test_images, test_labels = (idx(folder / name) for name in FILES)
    train = _pair(images, labels, 64 if quick else None)
    return Fashion(*train, *_pair(test_images, test_labels, 16 if quick else None))


def idx(path: Path) -> Tensor:
    """A gzipped IDX file of unsigned bytes: two zeros, type 8, the rank, the sizes, the bytes."""
    try:
        with gzip.open(path) as file:
            raw = file.read(LIMIT)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path}: expected a gzip file; got {error}.") from error
    rank = raw[3] if raw[:3] == b"\0\0\x08" and len(raw) > 3 else 0
    sizes = struct.unpack_from(f">{rank}I", raw, 4) if rank and len(raw) >= 4 + 4 * rank else ()
    if not sizes or len(raw) - 4 - 4 * rank != np.prod(sizes, dtype=np.int64):
        raise FileError(
            f"{path}: expected an IDX file of unsigned bytes; got {len(raw):,} bytes that begin "
            f"with {raw[:4].hex(' ')} and sizes {sizes}. Delete its folder to fetch it again."
        )
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(sizes).copy())


def _pair(images: Tensor, labels: Tensor, each: int | None) -> tuple[Tensor, Tensor]:
    """Pictures with a channel axis and ids 1..10, at most `each` of a class, in their order."""
    labels = labels.long() + 1
    keep = torch.arange(len(labels))
    if each is not None:
        firsts = [torch.nonzero(labels == i).flatten()[:each] for i in range(1, len(NAMES) + 1)]
        keep = torch.cat(firsts).sort().values
    return images[keep].unsqueeze(1), labels[keep]
