"""`diffusion solvers`, and `diffusion tune`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from ..errors import InputError
from ..model import Model
from ..picture.solvers import solvers as draw
from ..sampling.compare import SOLVERS, Compared, compare
from .load import load, place
from .words import note

ADAPTIVE = "Adaptive"
"""How the names begin whose number of calls nobody asked for."""


def solvers(
    folder: Path, calls: str, number: int, guidance: float | None, seed: int, out: Path | None,
    as_json: bool, custom: list[str],
) -> None:  # fmt: skip
    """Compare the samplers on a model, and print a table."""
    from .sample import guided

    model = load(folder, custom)
    counts = _counts(calls)
    own = None if guidance is None else guided(model, guidance)
    if sys.stderr.isatty():
        note(f"{len(SOLVERS)} samplers, {number} starts ...")
    y = _labels(model, number)
    found = compare(model, counts, y, None if y else number, own, seed, SOLVERS)
    if as_json:
        plain = {name: _plain(one) for name, one in found.items()}
        typer.echo(json.dumps(plain, indent=2, allow_nan=False))
    else:
        fine = 10 * max(counts)
        fine = fine if model.time.continuous else min(fine, model.schedule.steps)
        typer.echo(f"distance from where {fine} steps of the model's own ODE end, relative")
        typer.echo(table(found, counts))
    if out is not None:
        title = "distance from the ends of the model's own ODE"
        typer.echo(f"wrote {draw(_lines(found), out, title)}")


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


def table(found: Mapping[str, Compared], counts: tuple[int, ...]) -> str:
    """Errors by calls, on the model and on the beds with the order, and what is left out."""
    width = max(map(len, (*found, "network calls")))
    head = f"{'network calls':{width}}{''.join(f'{count:>9}' for count in counts)}"
    lines = [head]
    for name, one in found.items():
        if one.calls:
            star = " *" * one.late
            lines.append(f"{name:{width}}{_row(one.calls, one.model, counts)}{star}")
    if any(one.late and one.calls for one in found.values()):
        lines.append("* from sigma/signal = 80 on: it can't start from pure noise")
    lines += ["", "five known laws: exact network, root mean square error, geometric mean"]
    lines.append(f"{head}   order")
    known = {name: one for name, one in found.items() if one.bed_calls}
    for name, one in sorted(known.items(), key=lambda item: item[1].bed[-1]):
        lines.append(f"{name:{width}}{_row(one.bed_calls, one.bed, counts)}{one.order:8.2f}")
    return "\n".join([*lines, *_missing(found)])


def _missing(found: Mapping[str, Compared]) -> list[str]:
    """Why numbers are missing: the names that share a reason, and the reason."""
    names: dict[str, list[str]] = {}
    for name, one in found.items():
        if one.reason:
            names.setdefault(one.reason, []).append(name)
    told = [f"{', '.join(several)}: {reason}" for reason, several in names.items()]
    return ["", "left out", *told] if told else []


def _row(own: tuple[float, ...], errors: tuple[float, ...], counts: tuple[int, ...]) -> str:
    known = dict(zip(own, errors, strict=True))
    if not known.keys() & set(counts):
        return ", ".join(f"{error:9.4f} in {call:g} calls" for call, error in known.items())
    return "".join(f"{known[count]:9.4f}" if count in known else f"{'-':>9}" for count in counts)


def _lines(found: Mapping[str, Compared]) -> dict[str, tuple[list[float], list[float]]]:
    """What to draw: a line for each sampler, and one for all tolerances of the adaptive one."""
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for name, one in found.items():
        title = ADAPTIVE if name.startswith(ADAPTIVE) else name
        if one.calls:
            calls, errors = lines.get(title, ([], []))
            pairs = sorted([*zip(calls, errors, strict=True),
                            *zip(one.calls, one.model, strict=True)])  # fmt: skip
            lines[title] = [c for c, _ in pairs], [e for _, e in pairs]
    return lines


def _plain(one: Compared) -> dict[str, Any]:
    """For JSON, which has no NaN."""
    order = one.order if math.isfinite(one.order) else None
    return {**vars(one), "bed": one.bed, "order": order}


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
