"""Errors of samplers against network calls, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import require
from .curve import COLOURS, drawing

STYLES = ("-", "--", ":")
FIRST = 6


def solvers(
    errors: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    path: str | Path,
    title: str = "",
    ylabel: str = "relative error",
    most: float | None = None,
) -> Path:
    """Draw (network calls, error) for each name on logarithmic axes, the first ones in colour.

    Args:
        most: where the axis of errors ends, so that one bad line does not flatten the others.

    Errors: matplotlib is not installed (the extra `plot`).
    """
    require(len(errors) > 0, "solvers.errors", "at least one line", 0)
    figures, axes = drawing()
    figure = figures.Figure(figsize=(7.2, 4.6), dpi=130, layout="constrained")
    plot = figure.add_subplot()
    for i, (name, (calls, values)) in enumerate(errors.items()):
        colour = COLOURS[i % len(COLOURS)] if i < 2 * FIRST else "#bbbbbb"
        style = STYLES[min(i // FIRST, len(STYLES) - 1)]
        width = 2.0 if i < FIRST else 1.2
        plot.plot(calls, values, style, color=colour, marker="o", markersize=3, linewidth=width,
                  label=name)  # fmt: skip
    plot.set_xscale("log")
    plot.set_yscale("log")
    if most is not None:
        plot.set_ylim(top=most)
        for axis in (plot.yaxis.set_major_formatter, plot.yaxis.set_minor_formatter):
            axis(axes.StrMethodFormatter("{x:g}"))
    _ticks(plot, axes, sorted({c for calls, _ in errors.values() for c in calls}))
    plot.set_xlabel("network calls")
    plot.set_ylabel(ylabel)
    plot.set_title(title, loc="left", fontsize=11)
    plot.grid(alpha=0.25)
    plot.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False, fontsize=8)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _ticks(plot: Any, axes: Any, calls: list[int]) -> None:
    plot.xaxis.set_major_locator(axes.FixedLocator(calls))
    plot.xaxis.set_minor_locator(axes.NullLocator())
    plot.xaxis.set_major_formatter(axes.FixedFormatter([str(c) for c in calls]))
