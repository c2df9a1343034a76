"""The loss of each epoch as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DiffusionError, require

COLOURS = ("#1f5fa8", "#d1603d", "#3c8d5a", "#8a5aa8", "#b08a1e", "#555555")
DECADE = 8.0
"""Losses that span more than this factor are drawn on a logarithmic axis."""


def curve(history: Sequence[Mapping[str, float]], path: str | Path, title: str = "") -> Path:
    """Draw the mean of each loss term against the epoch, such as `model.run.history`.

    Errors: matplotlib is not installed (the extra `plot`).
    """
    require(len(history) > 0, "curve.history", "at least one epoch", 0, "Train the model first.")
    figures, axes = drawing()
    figure = figures.Figure(figsize=(7.2, 4.2), dpi=130, layout="constrained")
    plot = figure.add_subplot()
    lines = _lines(history)
    epochs = range(1, len(history) + 1)
    for (name, values), colour in zip(lines.items(), COLOURS * len(lines), strict=False):
        mark = "o" if len(history) < 3 else None
        plot.plot(epochs, values, color=colour, linewidth=1.8, marker=mark, label=name)
    every = [value for values in lines.values() for value in values]
    if min(every) > 0 and max(every) > DECADE * min(every):
        plot.set_yscale("log")
    few = axes.FixedLocator(epochs) if len(history) < 6 else axes.MaxNLocator(integer=True)
    plot.xaxis.set_major_locator(few)
    plot.set_xlabel("epoch")
    plot.set_ylabel("mean loss" if len(lines) > 1 else f"mean loss ({next(iter(lines))})")
    plot.set_title(title, loc="left", fontsize=11)
    plot.grid(alpha=0.25, which="both")
    plot.spines[["top", "right"]].set_visible(False)
    if len(lines) > 1:
        plot.legend(frameon=False)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def drawing() -> tuple[Any, Any]:
    """matplotlib's figures and tick locators; an error that names the extra where it is absent."""
    try:
        from matplotlib import figure, ticker
    except ImportError as error:
        raise DiffusionError(
            "a loss curve is drawn with matplotlib, which is not installed: "
            "pip install 'diffusion-modules[plot]'."
        ) from error
    return figure, ticker


def _lines(history: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """The values of each term by name; the total only where it is not the one term itself."""
    names = list(history[0])
    lines = {name: [epoch.get(name, float("nan")) for epoch in history] for name in names}
    if len(names) == 2 and lines.get("loss") in [v for n, v in lines.items() if n != "loss"]:
        del lines["loss"]
    return lines
