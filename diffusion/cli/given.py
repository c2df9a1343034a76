"""What a sampling is given as files: items to start from, and items of which a part is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import Images, Latent
from ..data.folder import ENDINGS, Folder
from ..data.items import fetch
from ..errors import DiffusionError, FileError, InputError, MismatchError, require
from ..model import Model
from .real import items, same_shape, source_for

NUMBER = 16
STRENGTH = 0.5
FREE = "_"


@dataclass(frozen=True)
class Given:
    """Options of `diffusion sample`; see there."""

    start: str | None = None
    strength: float | None = None
    known: str | None = None
    mask: str | None = None
    prefix: str | None = None

    def __post_init__(self) -> None:
        if self.strength is not None and self.start is None:
            raise InputError("--strength says how much noise --start gets: give both.")
        if (self.known is None) != (self.mask is None):
            raise InputError("--known gives items, and --mask says where they are kept: give both.")
        if self.prefix is not None and self.known is not None:
            raise InputError("--prefix is --known with a --mask of its own: give one of the two.")


def options(model: Model[Any], given: Given, number: int | None) -> tuple[int, dict[str, Any]]:
    """How many samples there will be, and what `Model.stream` is told of items."""
    found: dict[str, Tensor] = {}
    for name in ("start", "known"):
        path = getattr(given, name)
        if path is not None:
            found[name] = _told(f"--{name} {path}", _items, model, path, number or NUMBER)
    several = [len(w) for w in found.values() if len(w) > 1]
    count = number or max(several, default=NUMBER)
    told: dict[str, Any] = {
        name: w[torch.arange(count) % len(w)] for name, w in found.items()
    }  # fmt: skip
    if given.start is not None:
        told["strength"] = STRENGTH if given.strength is None else given.strength
    if given.mask is not None:
        told["mask"] = _told(f"--mask {given.mask}", _mask, model, given.mask, count)
    if given.prefix is not None:
        told |= _prefix(model, given.prefix, count)
    return count, told


def _told(option: str, make: Any, *arguments: Any) -> Tensor:
    """`make(*arguments)`, with errors that begin with the option."""
    try:
        found: Tensor = make(*arguments)
    except DiffusionError as error:
        raise type(error)(f"{option}: {error}") from error
    return found


def _items(model: Model[Any], path: str, most: int) -> Tensor:
    """At most so many items of a picture, a folder of pictures, or a source of data."""
    if isinstance(model.shape, dict):
        raise MismatchError(
            f"the model has the modalities {', '.join(model.shape)}; in Python, "
            "model.sample(start={...}) takes items of all, and given={...} of some."
        )
    files = _pictures(path)
    if files:
        w = torch.stack([_picture(model, file) for file in files[:most]])
    else:
        data = items(model, source_for(model, path, None).w, None)
        w, _ = fetch(data, torch.arange(min(len(data), most)))
    same_shape(model, w)
    return w


def _pictures(path: str) -> list[Path]:
    place = Path(path)
    if place.is_dir():
        return Folder(place, None).files
    return [place] if place.is_file() and place.suffix.lower() in ENDINGS else []


def _picture(model: Model[Any], path: Path) -> Tensor:
    """An item `[c, h, w]`: scaled and cropped to the model's size, in its own values."""
    data, shape = model.data, model.shape
    latent = isinstance(data, Latent)
    if not latent and (len(shape) != 3 or shape[0] not in (1, 3, 4)):
        raise MismatchError(
            f"the model makes samples of shape {list(shape)}, which are no pictures."
        )
    inner = data.inner if isinstance(data, Latent) else data
    levels = inner.levels if isinstance(inner, Images) else None
    # How large pictures are is the autoencoder's secret: they stay as they are.
    pixels = _read(path, 3 if latent else shape[0], None if latent else shape[1:])
    if levels is None:
        return pixels / 127.5 - 1  # as everywhere in diffusion
    values = (pixels * (levels - 1) / 255).round()
    return values.to(torch.uint8 if levels <= 256 else torch.int32)


def _read(path: Path, channels: int, size: Any) -> Tensor:
    """Bytes `[c, h, w]` as floats."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            picture = file.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])
    except (OSError, UnidentifiedImageError) as error:
        raise FileError(f"not a readable picture ({error}).") from error
    if size is not None:
        picture = ImageOps.fit(picture, (size[1], size[0]), Image.Resampling.LANCZOS)
    array = np.array(picture, dtype=np.float32)
    return torch.from_numpy(array[None] if channels == 1 else array.transpose(2, 0, 1).copy())


def _mask(model: Model[Any], path: str, count: int) -> Tensor:
    """Where items are kept, for each of `count` samples."""
    place = Path(path)
    if not place.is_file():
        raise InputError("no such file.")
    if place.suffix.lower() in ENDINGS:
        if isinstance(model.shape, dict) or len(model.shape) != 3:
            raise MismatchError("a picture masks pictures; write a .npy file of booleans.")
        white = _read(place, 1, model.shape[1:])[None] > 127
        return white.expand(count, *white.shape[1:])
    if place.suffix == ".txt":
        text, length = place.read_text("utf-8").rstrip("\n"), int(model.shape[0])
        require(len(text) == length, "text", f"the {length} characters of an item", len(text))
        return torch.tensor([character != FREE for character in text]).expand(count, length)
    if place.suffix not in (".npy", ".npz"):
        raise InputError("expected a picture, a .npy, .npz or .txt file.")
    return _array(place)


def _array(place: Path) -> Tensor:
    try:
        found = np.load(place, allow_pickle=False)
        if place.suffix == ".npz":
            require(len(found.files) == 1, "arrays", "one", found.files)
            found = found[found.files[0]]
    except (OSError, EOFError, ValueError) as error:
        raise FileError(f"not readable ({error}).") from error
    require(found.dtype == np.bool_, "array", "booleans, True where items are kept", found.dtype)
    return torch.from_numpy(found)


def _prefix(model: Model[Any], prefix: str, count: int) -> dict[str, Tensor]:
    """Ids that begin with those of the prefix, and where they are known."""
    alphabet = model.data.alphabet
    if not alphabet:
        raise MismatchError("--prefix: this model's samples are no text.")
    strange = sorted(set(prefix) - set(alphabet))
    require(not strange, "--prefix", f"characters of {alphabet!r}", "".join(strange))
    length = int(model.shape[0])
    fits = 1 <= len(prefix) <= length
    require(fits, "--prefix", f"1 to {length} characters, the length of a text", len(prefix))
    ids = torch.zeros(count, length, dtype=torch.long)
    ids[:, : len(prefix)] = torch.tensor([alphabet.index(character) for character in prefix])
    return {"known": ids, "mask": (torch.arange(length) < len(prefix)).expand(count, length)}
