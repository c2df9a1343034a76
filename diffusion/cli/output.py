"""Samples as files, in the form that fits them: pictures, an animation, text, arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import Images, Latent
from ..errors import FileError, InputError
from ..model import Model
from ..tree import State

ENDINGS = (".png", ".gif", ".npz", ".txt")


@dataclass(frozen=True)
class Result:
    """Samples: the label of each, and their states, of which the last is the sample."""

    model: Model[Any]
    labels: list[str]
    states: list[State]

    @property
    def items(self) -> State:
        """The samples."""
        return self.states[-1]

    @property
    def pictures(self) -> Tensor | None:
        """The samples as bytes `[n, c, h, w]`, or None where they are no pictures."""
        return pictures(self.model.data, self.items)

    @property
    def lines(self) -> list[str] | None:
        """The samples as text, or None where ids have no characters."""
        w = self.items
        ids = isinstance(w, Tensor) and not w.is_floating_point() and w.dim() == 2
        return self.model.data.spell(w) if ids and self.model.data.alphabet else None


def write(result: Result, out: Path | None) -> str:
    """Write samples where `out` says, or as fits them; what to tell about it."""
    lines = result.lines
    if out is None:
        if lines is not None:
            return _labelled(result, lines)
        out = Path("samples.npz" if result.pictures is None else "samples.png")
    ending = out.suffix.lower()
    if ending and ending not in ENDINGS:
        raise InputError(
            f"{out}: expected a file that ends in {', '.join(ENDINGS)}, or a folder without a dot."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    if ending == ".npz":
        _arrays(result, out)
    elif ending == ".txt":
        if lines is None:
            raise FileError(f"{out}: these samples are no text; "
                            "write a .npz file.")  # fmt: skip
        out.write_text(_labelled(result, lines) + "\n", encoding="utf-8")
    elif ending == ".gif":
        _animation(result, out)
    elif ending == ".png":
        _grid(result, _some(result, out)).save(out)
    else:
        _folder(result, out)
    return f"wrote {out}"


def _labelled(result: Result, lines: list[str]) -> str:
    labels = result.labels or [""] * len(lines)
    shown = [f"[{a}] {b}" if a else b for a, b in zip(labels, lines, strict=True)]
    return ("\n---\n" if any("\n" in line for line in lines) else "\n").join(shown)


def _some(result: Result, out: Path) -> Tensor:
    found = result.pictures
    if found is None:
        raise FileError(f"{out}: these samples are no pictures; write a .npz file.")
    return found


def _grid(result: Result, images: Tensor) -> Any:
    """Rows of one label each where they are equally long, else about a square."""
    from ..picture import grid

    runs = [(label, len([*group])) for label, group in groupby(result.labels)]
    lengths = {length for _, length in runs}
    if len(runs) > 1 and len(lengths) == 1 and lengths != {1}:
        return grid(images, lengths.pop(), [label for label, _ in runs])
    title = runs[0][0] if len(runs) == 1 else ""
    return grid(images, title=title)


def _animation(result: Result, out: Path) -> None:
    from ..picture import animation

    frames = []
    for state in result.states:
        images = pictures(result.model.data, state)
        if images is None:
            raise FileError(f"{out}: these samples are no pictures; write a .npz file.")
        frames.append(_grid(result, images))
    animation(frames, out)


def _folder(result: Result, out: Path) -> None:
    if out.is_file():
        raise FileError(f"{out}: is a file; name another folder.")
    images = _some(result, out)
    out.mkdir(exist_ok=True)
    labels = result.labels or [""] * len(images)
    for i, label in enumerate(labels):
        plain = "".join(c if c.isalnum() or c in "-." else "_" for c in label)
        name = f"{i:05d}-{plain}.png" if plain else f"{i:05d}.png"
        _single(images[i]).save(out / name)


def _single(image: Tensor) -> Any:
    """One picture of bytes `[c, h, w]`."""
    from PIL import Image

    array = image.permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def _arrays(result: Result, out: Path) -> None:
    items = result.items
    named = items if isinstance(items, dict) else {"w": items}
    arrays = {key: value.numpy() for key, value in named.items()}
    if result.labels:
        arrays["labels"] = np.array(result.labels)
    np.savez(out, **arrays)


def pictures(data: Any, w: Any) -> Tensor | None:
    """Items as bytes `[n, c, h, w]`; of a joint model, those of its first pictures."""
    if isinstance(w, dict):
        parts = getattr(data, "parts", {})
        found = [pictures(parts.get(key), value) for key, value in w.items()]
        return next((images for images in found if images is not None), None)
    inner = data.inner if isinstance(data, Latent) and data.inner is not None else data
    if isinstance(inner, Images):
        return inner.pictures(w)
    images: Tensor = w
    if images.dim() != 4 or images.shape[1] not in (1, 3, 4):
        return None
    if images.dtype == torch.uint8:
        return images
    # Without a declared range, -1..1 is meant, as everywhere in diffusion.
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
