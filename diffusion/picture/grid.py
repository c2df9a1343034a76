"""A labelled grid of pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import InputError, require

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

CELL = 56
"""Small pictures are enlarged until their longer side is about this many pixels."""
INK, PAPER = (38, 38, 38), (255, 255, 255)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def grid(
    pictures: Tensor,
    columns: int | None = None,
    labels: Sequence[str] | None = None,
    scale: int | None = None,
    *,
    headings: Sequence[str] | None = None,
    title: str = "",
) -> Image.Image:
    """Pictures side by side, row by row, on white.

    Args:
        pictures: bytes `[n, c, h, w]`: grey, RGB or RGBA, such as `data.pictures(w)` gives.
        columns: pictures in a row; None makes the grid about square.
        labels: the name of each row, written to its left. headings: of each column, above it.
        scale: each pixel becomes scale × scale; None enlarges small pictures.
        title: one line above everything.
    """
    from PIL import Image, ImageDraw, ImageFont

    _check(pictures)
    count, _, height, width = pictures.shape
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    require(columns >= 1, "grid.columns", "at least 1", columns)
    rows = -(count // -columns)
    _fits("labels", labels, rows, "rows")
    _fits("headings", headings, columns, "columns")
    scale = max(1, round(CELL / max(height, width))) if scale is None else scale
    require(scale >= 1, "grid.scale", "at least 1", scale)
    font = ImageFont.load_default(max(13, min(22, round(0.28 * height * scale))))
    space = _Space(font, width * scale, height * scale, labels, headings, title)
    image = Image.new("RGB", space.size(columns, rows), PAPER)
    draw = ImageDraw.Draw(image)
    _write(draw, font, space, labels or (), headings or (), title)
    for i, picture in enumerate(pictures.cpu()):
        image.paste(_image(picture, scale), space.at(i % columns, i // columns))
    return image


class _Space:
    """Where things go: all positions of a grid, in pixels."""

    def __init__(
        self,
        font: Any,
        width: int,
        height: int,
        labels: Sequence[str] | None,
        headings: Sequence[str] | None,
        title: str,
    ) -> None:
        self.width, self.height = width, height
        self.gap = max(2, width // 16)
        self.margin = max(8, width // 6)
        self.line = sum(font.getmetrics())
        self.label = max((math.ceil(font.getlength(text)) for text in labels or ()), default=0)
        self.pitch = self.width + self.gap
        names = [math.ceil(font.getlength(text)) for text in headings or ()]
        self.pitch = max(self.pitch, *(n + self.gap + 4 for n in names)) if names else self.pitch
        self.title = math.ceil(font.getlength(title))
        self.left = self.margin + (self.label + self.margin * 3 // 4 if self.label else 0)
        self.head = self.margin + (self.line + self.margin // 2 if title else 0)
        self.top = self.head + (self.line + self.gap if names else 0)

    def at(self, column: int, row: int) -> tuple[int, int]:
        """The upper left corner of a picture."""
        inset = (self.pitch - self.gap - self.width) // 2
        return self.left + column * self.pitch + inset, self.top + row * (self.height + self.gap)

    def size(self, columns: int, rows: int) -> tuple[int, int]:
        """Of the whole image."""
        inside = columns * self.pitch - self.gap
        right = max(self.left + inside, self.margin + self.title)
        return right + self.margin, self.at(0, rows)[1] - self.gap + self.margin


def _write(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    space: _Space,
    labels: Sequence[str],
    headings: Sequence[str],
    title: str,
) -> None:
    if title:
        draw.text((space.margin, space.margin), title, INK, font)
    for column, text in enumerate(headings):
        x = space.at(column, 0)[0] + space.width // 2
        draw.text((x, space.head + space.line // 2), text, INK, font, anchor="mm")
    for row, text in enumerate(labels):
        y = space.at(0, row)[1] + space.height // 2
        draw.text((space.margin + space.label, y), text, INK, font, anchor="rm")


def _image(picture: Tensor, scale: int) -> Image.Image:
    """One picture `[c, h, w]`, enlarged without smoothing; transparency shows the paper."""
    from PIL import Image

    array = picture.permute(1, 2, 0).contiguous().numpy()
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    if image.mode == "RGBA":
        paper = Image.new("RGBA", image.size, (*PAPER, 255))
        image = Image.alpha_composite(paper, image).convert("RGB")
    size = (image.width * scale, image.height * scale)
    return image if scale == 1 else image.resize(size, Image.Resampling.NEAREST)


def _check(pictures: Any) -> None:
    if not isinstance(pictures, Tensor) or pictures.dtype != torch.uint8:
        got = getattr(pictures, "dtype", type(pictures).__name__)
        raise InputError(
            f"grid.pictures: expected bytes (torch.uint8) [n, c, h, w]; got {got}. Items of "
            "data.Images become bytes by data.pictures(w)."
        )
    require(
        pictures.dim() == 4 and pictures.shape[1] in MODES and pictures.numel() > 0,
        "grid.pictures",
        "[n, c, h, w] with at least one picture of 1, 3 or 4 channels",
        list(pictures.shape),
    )


def _fits(name: str, texts: Sequence[str] | None, count: int, what: str) -> None:
    if texts is not None:
        require(len(texts) == count, f"grid.{name}", f"one for each of {count} {what}", len(texts))
