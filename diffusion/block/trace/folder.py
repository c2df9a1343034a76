"""Traces as folders.

    run.trace/
      manifest.json        hashes of the others
      trace.json           versions, and of every record its place, time, memory, inputs and outputs
      trace.safetensors    every tensor, once; see `diffusion.block.trace.stacks`

A step is written as a row [before, state, calls], a call as [z, t, hat, network], and a call of the
network as [z, t, hat].
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ...errors import FileError, InputError
from ...folder import atomic, tensors
from .plain import Writer
from .plain import read as value
from .record import Asked, Call, Record, Sampled, Step
from .stacks import Stacks, at
from .trace import Trace

Get = Callable[[Any], Tensor]
FORMAT = 2
SIZE = 256 << 20
"""Bytes of JSON that are read."""
SINGLE = (
    "path", "step", "kind", "version", "start", "seconds", "peak", "grew", "error", "settings",
)  # fmt: skip
BEGUN = ("times", "scales", "z", "y", "seed")


def write(trace: Trace, folder: Path) -> None:
    """Write a trace in the place of an earlier one. Errors: see `folder.atomic.publish`."""
    stacks = Stacks()
    records = [_written(record, Writer(stacks)) for record in trace.records]
    plain = {"format": FORMAT, "about": trace.about, "records": records}
    files = {"trace.json": _json(plain), "trace.safetensors": stacks.packed()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    files[atomic.MANIFEST] = _json(digests)

    def put(part: Path) -> None:
        for name, data in files.items():
            (part / name).write_bytes(data)

    atomic.publish(folder, put, sum(map(len, files.values())), flush=False)


def read(folder: Path) -> Trace:
    """Read a trace. Errors: a `FileError` if it is damaged, or of another version."""
    if not folder.is_dir():
        raise FileError(f"{folder}: no such folder; a trace is one, written by pipe.trace(...).")
    atomic.verify(folder)
    plain = _parsed(folder / "trace.json")
    found = plain.get("format") if isinstance(plain, dict) else None
    if found != FORMAT:
        raise FileError(
            f"{folder}: a trace of format {found!r}; this library reads {FORMAT}. Trace again."
        )
    known = tensors.read(folder / "trace.safetensors")

    def get(where: Any) -> Tensor:
        return at(where, known)

    try:
        records = [_record(one, get, str(folder)) for one in plain["records"]]
        return Trace(records, dict(plain["about"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{folder}: trace.json is no list of records ({error!r}).") from error


def inputs(path: str | Path, block: str = "") -> dict[str, Any]:
    """The inputs of a run.

    Args:
        path: a folder with an `inputs.json`, or such a file; a trace's folder; or a block in one,
            `run.trace/decode`, and `run.trace/denoise.clip@3` after the denoising step 3.
        block: of a trace without one; empty is the whole.
    """
    path = Path(path)
    if (path.parent / "trace.json").is_file():
        path, block = path.parent, path.name
    if (path / "trace.json").is_file():
        trace = read(path)
        if not trace.records:
            raise FileError(f"{path}: nothing ran while this was traced.")
        name, _, step = block.partition("@")
        if step and not step.isdecimal():
            raise InputError(f"{path / block}: expected the number of a step after @.")
        found = trace.find(name, int(step) if step else None) if name else trace.records[0]
        return found.inputs
    folder, name = (path.parent, path.stem) if path.suffix == ".json" else (path, "inputs")
    beside = folder / f"{name}.safetensors"
    known = tensors.read(beside) if beside.is_file() else {}
    made = value(_parsed(folder / f"{name}.json"), known.__getitem__, str(folder / name))
    if not isinstance(made, dict):
        raise FileError(f"{folder / name}.json: expected a map of inputs by name.")
    return made


def _written(record: Record, write: Writer) -> dict[str, Any]:
    plain: dict[str, Any] = {key: getattr(record, key) for key in SINGLE}
    for key in ("inputs", "outputs"):
        plain[key] = {name: write(one, name) for name, one in getattr(record, key).items()}
    return plain | {"sampled": [_sampling(one, write) for one in record.sampled]}


def _record(plain: dict[str, Any], get: Get, where: str) -> Record:
    def values(plain: dict[str, Any]) -> dict[str, Any]:
        return {name: value(one, get, where) for name, one in plain.items()}

    single = {key: plain[key] for key in SINGLE}
    return Record(
        **{**single, "path": tuple(plain["path"])}, inputs=values(plain["inputs"]),
        outputs=values(plain["outputs"]),
        sampled=[_sampled(one, get, where) for one in plain["sampled"]],
    )  # fmt: skip


def _sampling(sampled: Sampled, write: Writer) -> dict[str, Any]:
    """A sampling without what can't be written."""

    def row(*values: Any) -> list[Any]:
        return [write(one, "") for one in values]

    def call(one: Call) -> list[Any]:
        return [
            *row(one.z, one.t, one.hat),
            [row(each.z, each.t, each.hat) for each in one.network],
        ]

    plain = {key: write(getattr(sampled, key), "") for key in BEGUN}
    steps = [[*row(one.before, one.state), list(map(call, one.calls))] for one in sampled.steps]
    return {**plain, "modules": sampled.modules, "steps": steps}


def _sampled(plain: dict[str, Any], get: Get, where: str) -> Sampled:
    def row(values: list[Any]) -> list[Any]:
        return [value(one, get, where) for one in values]

    def call(z: Any, t: Any, hat: Any, network: list[Any]) -> Call:
        z, t, hat = row([z, t, hat])
        return Call(z, t, hat, [Asked(*row(asked)) for asked in network])

    def step(before: Any, state: Any, calls: list[Any]) -> Step:
        before, state = row([before, state])
        return Step([call(*one) for one in calls], before, state)

    begun = dict(zip(BEGUN, row([plain[key] for key in BEGUN]), strict=True))
    steps = [step(*one) for one in plain["steps"]]
    return Sampled(**begun, modules=plain["modules"], steps=steps)


def _parsed(path: Path) -> Any:
    try:
        size = path.stat().st_size
        if size > SIZE:
            raise FileError(f"{path}: {size} bytes of JSON; the limit is {SIZE}.")
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise FileError(f"{path}: can't be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path}: not valid JSON: {error}") from error


def _json(plain: Any) -> bytes:
    # Not indented: that is written in Python, ten times slower.
    return (json.dumps(plain) + "\n").encode()
