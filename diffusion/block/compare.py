"""Swap one module and observe: a pipeline with every combination of some choices."""

from __future__ import annotations

import io
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..component import Component
from ..errors import DiffusionError, InputError, choose, require
from ..picture import grid
from ..rng import scope
from .base import Block
from .run import Place, run
from .run import check as checked
from .trace.picture import pictures

if TYPE_CHECKING:
    from PIL import Image

MOST = 200
"""Combinations, at most."""
GREY, CELL = 200, 72
"""Where there is no picture; the height of small pictures, at least about."""


@dataclass(frozen=True)
class Compared:
    """One combination.

    Attributes:
        chosen, names: values by path, and how they are called. outputs: by name; none if it
            failed. seconds: it took.
        rms, largest: how far its picture is from the first's, as a share of the whole range; NaN
            if they can't be compared. error: why there are no outputs, or empty.
    """

    chosen: dict[str, Any]
    names: dict[str, str]
    outputs: dict[str, Any]
    seconds: float
    rms: float
    largest: float
    error: str = ""

    @property
    def picture(self) -> Tensor | None:
        """The first output that is pictures, as bytes `[b, c, h, w]`."""
        for value in self.outputs.values():
            if isinstance(value, Tensor) and value.dim() == 4 and value.dtype == torch.uint8:
                return value
        return None


@dataclass(frozen=True)
class Comparison:
    """All combinations, in the order of the choices; the last choice changes fastest."""

    choices: dict[str, list[Any]]
    names: dict[str, list[str]]
    rows: list[Compared]

    def __str__(self) -> str:
        lines = []
        for row in self.rows:
            what = ", ".join(f"{_last(path)} {name}" for path, name in row.names.items())
            said = row.error or f"{row.seconds:.3f} s, rms {row.rms:.4f}, largest {row.largest:.4f}"
            lines.append(f"{what}: {said}")
        return "\n".join(lines)

    def image(self) -> Image.Image:
        """The pictures: a column for each value of the last choice, samples side by side."""
        *first, last = self.names
        shown = _padded([_cell(row.picture) for row in self.rows])
        labels = [*map(", ".join, itertools.product(*(self.names[path] for path in first)))]
        headings = [f"{_last(last)} {name}" for name in self.names[last]]
        scale = max(1, round(CELL / shown.shape[2]))
        return grid(shown, len(headings), labels if first else None, scale, headings=headings)

    def save(self, path: str | Path) -> None:
        """Write FILE.png, the grid of pictures, or FILE.html, with differences and times too."""
        path = Path(path)
        choose("compare: the ending of a file", path.suffix.lower(), (".png", ".html"))
        from .file.write import replace as written

        page = path.suffix.lower() == ".html"
        written(path, self.html().encode() if page else _png(self.image()))

    def html(self) -> str:
        """A page that asks for nothing from outside."""
        names = "".join(f"<th>{escape(path)}</th>" for path in self.choices)
        rows = "".join(map(_row, self.rows))
        return PAGE.replace("<!--names-->", names).replace("<!--rows-->", rows)


def compare(
    pipe: Block, choices: Mapping[str, Sequence[Any] | Mapping[str, Any]], **inputs: Any
) -> Comparison:
    """Run a pipeline with every combination of choices, on the same inputs and seed.

        compare(pipe, {"denoise.sampler": [DDIM(), UniPC()], "denoise.steps": [10, 20]}, batch=4)

    Args:
        choices: values by the path of what they replace, see `Block.replace`; or values by what
            they shall be called, {"denoise.model.schedule": {"cosine": Cosine(), ...}}.
        inputs: of the pipeline. Without a seed, 0 is taken.

    A combination that can't be composed, or fails, has an error in place of outputs.
    Errors: no choices, or too many; paths that lead nowhere; all combinations fail.
    """
    listed = {path: _named(values) for path, values in choices.items()}
    for path, values in listed.items():
        require(bool(values), f"compare: {path}", "at least one value", "none")
    count = math.prod(map(len, listed.values()))
    require(bool(listed), "compare.choices", 'such as {"denoise.steps": [10, 20]}', "none")
    require(count <= MOST, "compare.choices", f"at most {MOST} combinations", count)
    if "seed" in pipe.ports().inputs:
        inputs.setdefault("seed", 0)
    _there(pipe, listed)
    checked(pipe.ports(), inputs, "compare", pipe.sizes())
    rows: list[Compared] = []
    for combined in itertools.product(*listed.values()):
        first = next((row for row in rows if not row.error), None)
        rows.append(_run(pipe, dict(zip(listed, combined, strict=True)), inputs, first))
    if all(row.error for row in rows):
        raise InputError(f"compare: no combination can be run; the first: {rows[0].error}")
    names, every = ({k: [p[i] for p in v] for k, v in listed.items()} for i in (0, 1))
    return Comparison(every, names, rows)


def label(value: Any) -> str:
    """A value in a heading: components without their brackets where nothing is in them."""
    text = (repr(value) if isinstance(value, Component) else str(value)).removesuffix("()")
    return text if len(text) <= 40 else f"{text[:39]}…"


def _named(values: Any) -> list[tuple[str, Any]]:
    """Each with what it is called."""
    return [*values.items()] if isinstance(values, Mapping) else [(label(v), v) for v in values]


def _run(
    pipe: Block, named: dict[str, tuple[str, Any]], inputs: dict[str, Any], first: Compared | None
) -> Compared:
    names, chosen = ({path: pair[i] for path, pair in named.items()} for i in (0, 1))
    began = time.perf_counter()
    try:
        one = pipe.replace(chosen)
        with scope(0):
            made = run(one, inputs, Place())
        failed = ""
    except DiffusionError as error:
        made, failed = {}, str(error)
    row = Compared(chosen, names, made, time.perf_counter() - began, 0.0, 0.0, failed)
    if first is None:
        return row
    rms, largest = _apart(first.picture, row.picture)
    return replace(row, rms=rms, largest=largest)


def _apart(a: Tensor | None, b: Tensor | None) -> tuple[float, float]:
    if a is None or b is None or a.shape != b.shape:
        return float("nan"), float("nan")
    gap = (a.cpu().double() - b.cpu().double()).abs() / 255
    return float(gap.square().mean().sqrt()), float(gap.max())


def _there(pipe: Block, listed: Mapping[str, Any]) -> None:
    """Raise where a path leads nowhere."""
    for path in listed:
        part: Any = pipe
        for name in path.split("."):
            if isinstance(part, Block):
                part = part[name]
            elif not hasattr(part, name):
                raise InputError(f"compare: {path}: {type(part).__name__} has no {name!r}.")
            else:
                part = getattr(part, name)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _cell(value: Tensor | None) -> Tensor | None:
    """Pictures `[b, c, h, w]` side by side, `[3, h, b·w]`."""
    if value is None:
        return None
    value = value.cpu()[:8, :3]
    return torch.cat([*value.expand(-1, 3, -1, -1)], -1)


def _padded(cells: list[Tensor | None]) -> Tensor:
    """All of one size, grey where there is none."""
    known = [one for one in cells if one is not None]
    if not known:
        raise InputError(
            "compare: none of the outputs are pictures, bytes [b, c, h, w]; save as .html, or end "
            "the pipeline with Decode."
        )
    height, width = (max(one.shape[axis] for one in known) for axis in (1, 2))
    made = torch.full((len(cells), 3, height, width), GREY, dtype=torch.uint8)
    for place, one in zip(made, cells, strict=True):
        if one is not None:
            place[:, : one.shape[1], : one.shape[2]] = one
    return made


def _row(row: Compared) -> str:
    values = "".join(f"<td>{escape(name)}</td>" for name in row.names.values())
    if row.error:
        return f'<tr>{values}<td colspan="4" class="error">{escape(row.error)}</td></tr>'
    shown = [one for value in row.outputs.values() for one in pictures(value)]
    images = "".join(f'<img alt="" src="{one}">' for one in shown)
    numbers = "".join(f"<td>{v:.4f}</td>" for v in (row.rms, row.largest, row.seconds))
    return f"<tr>{values}<td>{images}</td>{numbers}</tr>"


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Comparison</title>
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
body { font: 14px/1.4 system-ui, sans-serif; color: #222; margin: 2em }
table { border-collapse: collapse }
td, th { padding: 4px 12px; border-bottom: 1px solid #ddd; text-align: left;
 font-variant-numeric: tabular-nums }
img { width: 72px; height: 72px; object-fit: contain; image-rendering: pixelated; margin: 2px }
.error { color: #c62828 }
</style></head><body><h1>Comparison</h1>
<p>Differences are from the first row's pictures, as a share of their range.</p>
<table><tr><!--names--><th>pictures</th><th>rms difference</th><th>largest</th><th>seconds</th></tr>
<!--rows--></table></body></html>
"""
