"""What a sampling begins with, of two that ought to be the same, in the order it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...errors import DiffusionError
from ...fit import precision
from ...sampling import weights
from ..difference import difference
from ..trace.record import Sampled, scales


class Found(NamedTuple):
    """What differs within a sampling; `block` if it is one between the steps."""

    step: int | None
    module: str
    what: str
    block: str = ""


def begins(a: Sampled, b: Sampled, tolerance: float) -> Found | None:
    """Conditions, seed, schedule, times, first state: the first that differs."""
    found = difference(a.y, b.y, tolerance)
    if found is not None:
        return Found(None, "data", f"the conditions differ: {found}")
    if difference(_plain(a.seed), _plain(b.seed)) is not None:
        return Found(None, "seed", f"the seed: {a.seed} → {b.seed}")
    return _schedule(a, b, tolerance) or _times(a, b) or _first(a, b, tolerance)


def _schedule(a: Sampled, b: Sampled, tolerance: float) -> Found | None:
    for i, t in enumerate(a.times):
        said = _differs(a.scales[i], _there(b, t), t, tolerance)
        if said:
            return Found(max(i - 1, 0), "noise" if _same_schedule(a, b) else "schedule", said)
    return None


def _differs(ours: Any, theirs: Any, t: Any, tolerance: float) -> str:
    if theirs is None or ours is None:
        return ""
    found = difference(ours, theirs, tolerance)
    if found is None:
        return ""
    if isinstance(theirs, str):
        return theirs
    return f"at the time {t}, signal and sigma are {_short(theirs)}, not {_short(ours)}"


def _there(b: Sampled, t: Any) -> Any:
    """The other's scales at a time: asked, or recorded if it came there; None if unknown."""
    if b.live is None:
        known = [i for i, own in enumerate(b.times) if own == t]
        return b.scales[known[0]] if known else None
    try:
        return scales(b.live.noise, t)
    except (IndexError, KeyError, DiffusionError):
        return f"there is no time {t} in {b.modules['schedule']}"


def _same_schedule(a: Sampled, b: Sampled) -> bool:
    """Whether it is not the schedule that differs, but what the noise makes of it."""
    if a.live is None or b.live is None:
        return a.modules["schedule"] == b.modules["schedule"] and (
            a.modules["noise"] != b.modules["noise"]
        )
    from ...schedule.scales import scales_table

    ours, theirs = (scales_table(one.live.model.schedule) for one in (a, b) if one.live)
    return difference(ours, theirs) is None


def _times(a: Sampled, b: Sampled) -> Found | None:
    ours, theirs = list(a.times), list(b.times)
    if difference(ours, theirs) is None:
        return None
    if a.modules["schedule"] != b.modules["schedule"] and ours[0] != theirs[0]:
        return Found(0, "schedule", f"sampling begins at {theirs[0]}, not {ours[0]}")
    pairs = zip(ours, theirs, strict=False)
    first = next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(ours), len(theirs)))
    count = f"{len(theirs) - 1} steps, not {len(ours) - 1}: " * (len(ours) != len(theirs))
    what = f"{count}{_listed(theirs, first)}, not {_listed(ours, first)}"
    return Found(max(first - 1, 0), "time grid", what)


def _first(a: Sampled, b: Sampled, tolerance: float) -> Found | None:
    found = difference(a.z, b.z, tolerance)
    if found is None:
        return None
    nets = [weights(one.live.model)[0] for one in (a, b) if one.live is not None]
    if len({precision(net) for net in nets}) > 1:
        return Found(0, "net", f"its precision, that of the first state too: {found}")
    return Found(0, "noise", f"the first state, of the same seed: {found}")


def _plain(seed: Any) -> Any:
    return seed.tolist() if hasattr(seed, "tolist") else seed


def _short(scales: Any) -> str:
    if isinstance(scales, dict):
        return str({key: _short(one) for key, one in scales.items()})
    return " and ".join(f"{value:.6g}" for value in scales)


def _listed(times: Sequence[Any], first: int) -> str:
    shown = [f"{t:.6g}" if isinstance(t, float) else str(t) for t in times[first : first + 3]]
    return f"… {', '.join(shown) or 'no more'}"
