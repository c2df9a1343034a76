"""Data by name or path, as the command line and configurations give it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import DiffusionError, FileError, InputError, require, suggest
from ..folder import tensors
from ..rng import generator
from .folder import ENDINGS, Folder

NAMED = ("digits",)
HELD = 40
KNOWN = (
    "'digits', a folder of pictures (sub-folders are classes), or a .npz, .npy, .safetensors or "
    ".txt file"
)


class Source(NamedTuple):
    """Items, conditions and names as `Data` takes them, and the part held out of training.

    Attributes:
        w: items: a tensor, a memory-mapped array, or a data set of pictures. y: class ids 1..K,
            or None. names: class names in the order of their ids.
        w_test, y_test: held-out items, where the source has any.
        alphabet: for text, the character of each id.
    """

    w: Any
    y: Tensor | None = None
    names: tuple[str, ...] = ()
    w_test: Tensor | None = None
    y_test: Tensor | None = None
    alphabet: str = ""


def open_source(source: str | Path, *, size: int | None = None, length: int = 128) -> Source:
    """Open a source of data.

    | source | items |
    |---|---|
    | `digits` | 1,797 handwritten digits `[n, 1, 8, 8]`, levels 0..16; 40 of each class held out |
    | a folder | pictures, read when asked for; sub-folders are classes |
    | `.npz`, `.safetensors` | arrays `w`, and `y`, `names`, `w_test`, `y_test` where they exist |
    | `.npy` | one array, memory-mapped |
    | `.txt` | ids of characters `[n, length]`, in the order of the sorted alphabet |

    Args:
        size: side of the squares that pictures of a folder are scaled and cropped to.
        length: characters of each item of a text.

    Nothing in a file is executed: pickled arrays are refused.
    """
    path = Path(source)
    if str(source) in NAMED:
        return digits()
    if path.is_dir():
        folder = Folder(path, size)
        return Source(folder, folder.labels if folder.names else None, folder.names)
    if not path.is_file():
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = suggest(str(source), NAMED) or suggest(path.name, near)
        raise InputError(
            f"data source: no file, folder or data set {str(source)!r}; expected {KNOWN}.{hint}"
        )
    if path.suffix == ".npy":
        return Source(_numpy(path, mmap_mode="r"))
    if path.suffix in (".npz", ".safetensors"):
        return _arrays(path)
    if path.suffix == ".txt":
        return _text(path, length)
    one = " A single picture is not a data set: give its folder." if _picture(path) else ""
    raise InputError(f"data source: {str(path)!r} is of no known kind; expected {KNOWN}.{one}")


def digits() -> Source:
    """The handwritten digits of scikit-learn (Alpaydin & Kaynak 1998), ids 1..10 for "0".."9".

    The held-out part, 40 of each class, is drawn once and for all.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DiffusionError(
            "the data set 'digits' comes with scikit-learn, which is not installed: "
            "pip install 'diffusion-modules[digits]'."
        ) from error
    flat, target = load_digits(return_X_y=True)
    w = torch.from_numpy(flat).to(torch.uint8).reshape(-1, 1, 8, 8)
    y = torch.from_numpy(target).long() + 1
    order = torch.randperm(len(y), generator=generator(0, "digits"))
    held = torch.cat([order[y[order] == k][:HELD] for k in range(1, 11)]).sort().values
    kept = torch.ones(len(y), dtype=torch.bool)
    kept[held] = False
    return Source(w[kept], y[kept], tuple("0123456789"), w[held], y[held])


def _picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def _numpy(path: Path, **options: Any) -> Any:
    try:
        return np.load(path, allow_pickle=False, **options)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(
            f"{path}: not a readable {path.suffix} file of plain arrays ({error}). Arrays of "
            "Python objects are refused, because reading them runs code."
        ) from error


def _arrays(path: Path) -> Source:
    found = _members(path) if path.suffix == ".npz" else dict(tensors.read(path))
    require(
        "w" in found, str(path), "an array called w, the items", sorted(found) or "no array",
        "Write it with np.savez(path, w=items, y=labels).",
    )  # fmt: skip
    known = ("w", "y", "names", "w_test", "y_test")
    for key in found:
        if key not in known:
            hint = suggest(key, known)
            raise InputError(f"{path}: expected arrays {', '.join(known)}; got {key!r}.{hint}")
    names = tuple(str(one) for one in found.pop("names", ()))
    parts = {key: torch.as_tensor(value) for key, value in found.items()}
    for w, y in (("w", "y"), ("w_test", "y_test")):
        if y in parts:
            _labels(parts.get(w, ()), parts[y], names, f"{path}: {y}")
    return Source(parts["w"], parts.get("y"), names, parts.get("w_test"), parts.get("y_test"))


def _members(path: Path) -> dict[str, Any]:
    with _numpy(path) as archive:
        try:
            return {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError) as error:
            raise FileError(
                f"{path}: an array can't be read ({error}). Arrays of Python objects are refused, "
                "because reading them runs code."
            ) from error


def _labels(w: Any, y: Tensor, names: tuple[str, ...], where: str) -> None:
    require(len(y) == len(w), where, f"one for each of {len(w)} items", len(y))
    if y.dim() != 1 or y.is_floating_point() or not len(y):
        return
    low, high = int(y.min()), int(y.max())
    zero = "Class ids start at 1, 0 is the null condition (no label): save y + 1."
    if names:
        expected = f"class ids 1..{len(names)} for {len(names)} names"
        shifted = low == 0 and high == len(names) - 1
        fits = low >= 0 and high <= len(names) and not shifted
        require(fits, where, expected, f"{low}..{high}", zero if low == 0 else "")
    elif low == 0 < high:
        warnings.warn(f"{where}: ids {low}..{high}. If 0 is a class here: {zero}", stacklevel=2)


def _text(path: Path, length: int) -> Source:
    require(length >= 1, "data source: length", "at least 1 character", length)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not UTF-8 text ({error}).") from None
    count = len(text) // length
    require(count > 0, str(path), f"at least {length} characters", len(text))
    alphabet = sorted(set(text))
    ids = {character: i for i, character in enumerate(alphabet)}
    w = torch.tensor([ids[character] for character in text[: count * length]])
    return Source(w.reshape(count, length), alphabet="".join(alphabet))
