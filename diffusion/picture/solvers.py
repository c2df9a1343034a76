"""Errors of samplers against network calls, as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import require
from .curve import COLOURS, drawing

LINES = tuple(zip((*COLOURS, "#2aa5b5"), "os^Dv*P", strict=True))
"""Colour and mark of each line of a panel."""
FIRST = ("#000000", ".")
ACROSS = 3
APART = 1.25
"""Ratio of two numbers of calls whose labels don't overlap."""


def solvers(
    errors: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    path: str | Path,
    title: str = "",
    ylabel: str = "relative error",
    most: float | None = None,
) -> Path:
    """Draw (network calls, error) for each name on logarithmic axes, at most seven to a panel.

    The first is in every panel, dashed, to compare with.

    Args:
        most: where the axis of errors ends, so that one bad line does not flatten the others.

    Errors: matplotlib is not installed (the extra `plot`).
    """
    require(len(errors) > 0, "solvers.errors", "at least one line", 0)
    figures, axes = drawing()
    first, *others = errors
    panels = [others[i : i + len(LINES)] for i in range(0, max(len(others), 1), len(LINES))]
    across = min(len(panels), ACROSS)
    down = -(len(panels) // -across)
    size = (7.2 if across == 1 else 4.4 * across, 5.2 * down)
    figure = figures.Figure(figsize=size, dpi=130, layout="constrained")
    plots = figure.subplots(down, across, sharey=True, squeeze=False).flatten()
    for plot, names in zip(plots, panels, strict=False):
        for name, (colour, mark) in zip((first, *names), (FIRST, *LINES), strict=False):
            plot.plot(*errors[name], "--" if name == first else "-", color=colour, marker=mark,
                      markersize=5, linewidth=1.4, label=name)  # fmt: skip
        _axes(plot, axes, errors, [first, *names], most)
        plot.set_xlabel("network calls")
        plot.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False,
                    fontsize=9)  # fmt: skip
    for plot in plots[len(panels) :]:
        plot.set_visible(False)
    for plot in plots[::across]:
        plot.set_ylabel(ylabel)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _axes(
    plot: Any, axes: Any, errors: Mapping[str, Any], names: Sequence[str], most: float | None
) -> None:
    plot.set_xscale("log")
    plot.set_yscale("log")
    if most is not None:
        plot.set_ylim(0.95 * min(min(values) for _, values in errors.values()), most)
        for axis in (plot.yaxis.set_major_formatter, plot.yaxis.set_minor_formatter):
            axis(axes.StrMethodFormatter("{x:g}"))
    ticks = _ticks([errors[name][0] for name in errors], [errors[name][0] for name in names])
    plot.xaxis.set_major_locator(axes.FixedLocator(ticks))
    plot.xaxis.set_minor_locator(axes.NullLocator())
    plot.xaxis.set_major_formatter(axes.FixedFormatter([f"{c:.0f}" for c in ticks]))
    plot.grid(alpha=0.25)
    plot.spines[["top", "right"]].set_visible(False)


def _ticks(every: Sequence[Sequence[float]], own: Sequence[Sequence[float]]) -> list[float]:
    """Where lines have points in common, and others of this panel where there is room."""
    count = Counter(c for calls in every for c in calls)
    ticks = [c for c in count if count[c] > 1]
    for c in sorted({c for calls in own for c in calls}):
        if all(max(c / tick, tick / c) > APART for tick in ticks):
            ticks.append(c)
    return sorted(ticks)
