"""A trace as one HTML page: timeline, values, pictures, steps. It asks for nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from torch import Tensor

from ..file.write import replace
from .page import PAGE
from .picture import pictures
from .plain import Missing
from .record import Record, Sampled, Step, leaves
from .trace import Trace
from .value import Summary, summary

STEPS = 60
"""Steps of a sampling that have pictures of their own, at most; evenly spread."""


def write(trace: Trace, path: Path) -> None:
    """Write the page, whole or not at all."""
    replace(path, html(trace).encode())


def html(trace: Trace) -> str:
    """The page."""
    about = " · ".join(f"{key} {value}" for key, value in trace.about.items())
    records = trace.records
    whole = max((one.start + one.seconds for one in records), default=0.0)
    bad = [one for one in records if problems(one)]
    parts = {
        "about": escape(about),
        "summary": escape(
            f"{len(records)} runs of blocks, {whole:.3f} s; {len(bad)} with NaN, infinity or errors"
        ),
        "timeline": "\n".join(_bar(i, one, whole) for i, one in enumerate(records)),
        "records": "\n".join(_record(i, one) for i, one in enumerate(records)),
    }
    page = PAGE
    for name, text in parts.items():
        page = page.replace(f"<!--{name}-->", text)
    return page


def problems(record: Record) -> int:
    """Non-finite numbers in what a block was given and made, and 1 more if it failed."""
    values: list[Any] = [record.inputs, record.outputs]
    values += [[step.state, [call.hat for call in step.calls]] for one in record.sampled
               for step in one.steps]  # fmt: skip
    return sum(map(non_finite, leaves(values))) + bool(record.error)


def non_finite(value: Any) -> int:
    """How many numbers of a tensor are NaN or infinite."""
    if isinstance(value, Summary):
        return value.bad
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return 0
    return int((~value.isfinite()).sum())


def _bar(index: int, record: Record, whole: float) -> str:
    left, width = (100 * v / max(whole, 1e-9) for v in (record.start, record.seconds))
    depth = len(record.path)
    colour = "bad" if problems(record) else f"level{min(depth, 3)}"
    kind = "bar between" if record.step is not None else "bar"
    place = f"left:{left:.3f}%;width:{max(width, 0.15):.3f}%"
    return (
        f'<a class="{kind}" href="#r{index}">'
        f'<span class="name" style="padding-left:{depth * 14}px">{escape(str(record))}</span>'
        f'<span class="track"><i class="{colour}" style="{place}"></i></span>'
        f'<span class="time">{1000 * record.seconds:.1f} ms</span></a>'
    )


def _record(index: int, record: Record) -> str:
    marks = problems(record)
    said = f'<p class="error">{escape(record.error)}</p>' if record.error else ""
    memory = f"peak memory {record.peak / 2**20:.0f} MiB" + (
        f" (+{record.grew / 2**20:.1f})" if record.grew else ""
    )
    shown = "" if record.step is None else " between"
    shots = "".join(_images(one) for one in record.outputs.values())
    mark = f'<b class="mark">{marks} not finite or failed</b>' if marks else ""
    return (
        f'<details class="record{shown}" id="r{index}"{" open" if marks else ""}><summary>'
        f"<b>{escape(str(record))}</b> <span>{escape(record.kind)} v{record.version}, "
        f"{1000 * record.seconds:.1f} ms, {memory}</span>{mark}{shots}</summary>{said}"
        f"<h4>inputs</h4>{_values(record.inputs)}<h4>outputs</h4>{_values(record.outputs)}"
        f"{''.join(map(_sampling, record.sampled))}{_settings(record.settings)}</details>"
    )


def _values(values: dict[str, Any]) -> str:
    rows = "".join(_row(name, value) for name, value in values.items())
    return f"<table>{HEAD}{rows}</table>" if rows else '<p class="none">none</p>'


HEAD = (
    "<tr><th>name</th><th>value</th><th>least</th><th>greatest</th><th>mean</th><th>deviation</th>"
    "<th>NaN, ∞</th><th></th></tr>"
)


def _row(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return "".join(_row(f"{name}.{key}", one) for key, one in value.items())
    if isinstance(value, (list, tuple)) and any(
        isinstance(one, (Tensor, Summary)) for one in value
    ):
        return "".join(_row(f"{name}.{i}", one) for i, one in enumerate(value))
    if not isinstance(value, (Tensor, Summary)):
        text = value.kind if isinstance(value, Missing) else f"{value!r:.300}"
        return f'<tr><td>{escape(name)}</td><td colspan="7">{escape(text)}</td></tr>'
    of = summary(value) if isinstance(value, Tensor) else value
    numbers = "".join(f"<td>{v:.4g}</td>" for v in (of.low, of.high, of.mean, of.deviation))
    bad = f'<td class="bad">{of.bad}</td>' if of.bad else "<td>0</td>"
    kept = "" if isinstance(value, Tensor) else " not kept"
    said = escape(f"{of.dtype} {list(of.shape)}{kept}")
    return f"<tr><td>{escape(name)}</td><td>{said}</td>{numbers}{bad}<td>{_images(value)}</td></tr>"


def _images(value: Any) -> str:
    return "".join(f'<img alt="" src="{one}">' for one in pictures(value))


def _sampling(sampled: Sampled) -> str:
    steps = [step for step in sampled.steps if step.state is not None or step.calls]
    every = max(1, -(len(steps) // -STEPS))
    shown = [(i, step) for i, step in enumerate(steps) if i % every == 0 or i == len(steps) - 1]
    frames = "".join(_step(i, step, sampled) for i, step in shown)
    last = max(len(shown) - 1, 0)
    facts = {**sampled.modules, "seed": sampled.seed}
    return (
        f'<h4>sampling</h4>{_settings(facts, "modules", True)}<div class="sampling"><label>step '
        f'<input type="range" min="0" max="{last}" value="{last}">'
        f"</label>{frames}</div>"
    )


def _step(index: int, step: Step, sampled: Sampled) -> str:
    values = dict(_parts(step))
    scales = sampled.scales[index] if index < len(sampled.scales) else None
    at = f"signal and sigma {_short(scales)}" if scales is not None else ""
    head = f"step {index}: from the time {_short(sampled.times[index])} to "
    head += f"{_short(sampled.times[index + 1])}; {at}"
    return f'<div class="step"><p>{escape(head)}</p>{_values(values)}</div>'


def _parts(step: Step) -> Iterator[tuple[str, Any]]:
    for i, call in enumerate(step.calls):
        number = f" {i + 1}" if len(step.calls) > 1 else ""
        yield f"asked{number} at {_short(call.t)}", call.z
        for j, asked in enumerate(call.network):
            again = f" {j + 1}" if len(call.network) > 1 else ""
            yield f"network{number}{again}", _flat(asked.hat)
        yield f"guided{number}", _flat(call.hat)
    if step.before is not None:
        yield "sampler's state", step.before
    if step.state is not None:
        yield "state", step.state


def _flat(hat: Any) -> Any:
    """The first predicted parameter, as a picture needs it."""
    return hat[0] if isinstance(hat, Tensor) and hat.dim() == 5 else hat


def _short(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_short, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _settings(values: dict[str, Any], title: str = "settings", opened: bool = False) -> str:
    rows = "".join(
        f"<tr><td>{escape(str(key))}</td><td>{escape(f'{value!s:.400}')}</td></tr>"
        for key, value in values.items()
    )
    if not rows:
        return ""
    opens = "<details open>" if opened else "<details>"
    return f"{opens}<summary>{title}</summary><table>{rows}</table></details>"
