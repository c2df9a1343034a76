"""`diffusion solvers`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer

from ..errors import InputError
from ..model import Model
from ..picture.solvers import solvers as draw
from ..sampling.compare import SOLVERS, Compared, compare
from .load import load, place
from .words import note


def solvers(
    folder: Path, calls: str, number: int, guidance: float | None, seed: int, out: Path | None,
    as_json: bool, custom: list[str],
) -> None:  # fmt: skip
    """Compare every deterministic sampler on a model, and print a table."""
    from .sample import guided

    model = load(folder, custom)
    counts = _counts(calls)
    own = None if guidance is None else guided(model, guidance)
    if sys.stderr.isatty():
        note(f"{len(SOLVERS)} samplers against a trajectory of {10 * max(counts)} steps ...")
    y = _labels(model, number)
    found = compare(model, counts, y, None if y else number, own, seed)
    if as_json:
        typer.echo(json.dumps({name: vars(one) for name, one in found.items()}, indent=2))
    else:
        typer.echo(table(found, counts))
    if out is not None:
        title = "distance from the model's own fine trajectory"
        typer.echo(f"wrote {draw({k: (v.calls, v.model) for k, v in found.items()}, out, title)}")


def tune(
    folder: Path, steps: int, seconds: float, number: int, guidance: float | None, seed: int,
    custom: list[str],
) -> None:  # fmt: skip
    """Find sampler and noise levels for a number of steps, and save them with the model."""
    from .sample import guided

    model = load(folder, custom)
    own = None if guidance is None else guided(model, guidance)
    tuned = model.tune(
        steps, _labels(model, number), number, guidance=own, seconds=seconds, seed=seed,
        progress=sys.stderr.isatty(),
    )  # fmt: skip
    one: Any = tuned.sampler
    levels = ", ".join(f"{level:.3g}" for level in one.ratios[0])
    typer.echo(f"{steps} steps: {one.samplers[0]!r}")
    typer.echo(f"  at sigma/signal {levels}, then the data")
    typer.echo(f"  {one.errors[0]:.2%} from the model's own fine trajectory")
    tuned.save(place(folder))
    typer.echo(f"saved in {place(folder)}: its sampler from now on")


def table(found: dict[str, Compared], counts: tuple[int, ...]) -> str:
    """Errors by calls, on the model and on the bed, with the measured order."""
    width = max(map(len, found))
    head = "".join(f"{count:>9}" for count in counts)
    lines = [
        f"{'network calls':{width}}{head}   order",
        f"{'this model':{width}}  (of the size of its samples)",
        *(f"{name:{width}}{_row(one.calls, one.model, counts)}" for name, one in found.items()),
        f"{'a known law':{width}}  (mixture on the line, exact network)",
        *(
            f"{name:{width}}{_row(one.calls, one.bed, counts)}{one.order:8.2f}"
            for name, one in sorted(found.items(), key=lambda item: item[1].bed[-1])
        ),
    ]
    return "\n".join(lines)


def _row(own: tuple[int, ...], errors: tuple[float, ...], counts: tuple[int, ...]) -> str:
    known = dict(zip(own, errors, strict=True))
    return "".join(f"{known[count]:9.4f}" if count in known else f"{'-':>9}" for count in counts)


def _counts(calls: str) -> tuple[int, ...]:
    try:
        found = tuple(sorted({int(part) for part in calls.split(",")}))
    except ValueError:
        raise InputError(f"--calls: expected numbers such as 5,8,12; got {calls!r}.") from None
    if found[0] < 1:
        raise InputError(f"--calls: expected numbers of at least 1; got {calls!r}.")
    return found


def _labels(model: Model[Any], number: int) -> list[int] | None:
    """Class ids, in turn, for models that know classes."""
    count = getattr(model.net, "labels", 0)
    return [1 + i % count for i in range(number)] if isinstance(count, int) and count else None
