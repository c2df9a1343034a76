"""Traces as folders.

    run.trace/
      manifest.json  trace.json     versions, and every record's place, time, memory, files
      00-pipeline/   01-describe/   02-denoise/  ...
        inputs.json   inputs.safetensors     see `diffusion.block.trace.plain`
        outputs.json  outputs.safetensors
        steps.json    steps.safetensors      the samplings in it

A record's folder holds all that the block needs to run again. Of what ran between denoising steps
the folder is called `NN-denoise.clip-s007`.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from ...errors import FileError
from ...folder import atomic, tensors
from .plain import Writer, packed
from .plain import read as value
from .record import Asked, Call, Record, Sampled, Step
from .trace import Trace

FORMAT = 1
SIZE = 64 << 20
"""Bytes of JSON that are read."""
SINGLE = (
    "path", "step", "kind", "version", "start", "seconds", "peak", "grew", "error", "settings",
)  # fmt: skip


def write(trace: Trace, folder: Path) -> None:
    """Write a trace in the place of an earlier one. Errors: see `folder.atomic.publish`."""
    files: dict[str, bytes] = {}
    listed = []
    for number, record in enumerate(trace.records):
        name = f"{number:02d}-{_safe(record)}"
        own = _files(record)
        files |= {f"{name}/{key}": data for key, data in own.items()}
        digests = {key: hashlib.sha256(data).hexdigest() for key, data in own.items()}
        plain = Writer()({key: getattr(record, key) for key in SINGLE}, "")
        listed.append({**plain, "folder": name, "files": digests})
    index = _json({"format": FORMAT, "about": trace.about, "records": listed})
    files["trace.json"] = index
    files[atomic.MANIFEST] = _json({"trace.json": hashlib.sha256(index).hexdigest()})

    def put(part: Path) -> None:
        for name, data in files.items():
            (part / name).parent.mkdir(exist_ok=True)
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
    try:
        return Trace([_record(folder, one) for one in plain["records"]], dict(plain["about"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{folder}: trace.json is no list of records ({error!r}).") from error


def inputs(path: str | Path) -> dict[str, Any]:
    """The inputs in a record's folder, in any folder with an `inputs.json`, or in such a file."""
    path = Path(path)
    folder, name = (path.parent, path.stem) if path.suffix == ".json" else (path, "inputs")
    found = _values(folder, name)
    if not isinstance(found, dict):
        raise FileError(f"{folder / name}.json: expected a map of inputs by name.")
    return found


def _files(record: Record) -> dict[str, bytes]:
    files = _pair("inputs", record.inputs) | _pair("outputs", record.outputs)
    return files | (
        _pair("steps", [_steps(one) for one in record.sampled]) if record.sampled else {}
    )


def _pair(name: str, values: Any) -> dict[str, bytes]:
    writer = Writer()
    items = values if isinstance(values, dict) else dict(enumerate(values))
    made = {str(key): writer(one, str(key)) for key, one in items.items()}
    plain = made if isinstance(values, dict) else list(made.values())
    files = {f"{name}.json": _json(plain)}
    if writer.tensors:
        files[f"{name}.safetensors"] = packed(writer.tensors)
    return files


def _steps(sampled: Sampled) -> dict[str, Any]:
    """A sampling without what can't be written."""

    def call(one: Call) -> dict[str, Any]:
        return {**vars(one), "network": [vars(asked) for asked in one.network]}

    def step(one: Step) -> dict[str, Any]:
        return {**vars(one), "calls": [call(each) for each in one.calls]}

    plain = {key: value for key, value in vars(sampled).items() if key != "live"}
    return {**plain, "steps": [step(one) for one in sampled.steps]}


def _sampled(plain: dict[str, Any]) -> Sampled:
    def call(one: dict[str, Any]) -> Call:
        return Call(**{**one, "network": [Asked(**asked) for asked in one["network"]]})

    def step(one: dict[str, Any]) -> Step:
        return Step(**{**one, "calls": [call(each) for each in one["calls"]]})

    return Sampled(**{**plain, "steps": [step(one) for one in plain["steps"]]})


def _record(folder: Path, plain: dict[str, Any]) -> Record:
    own = folder / plain["folder"]
    if Path(plain["folder"]).name != plain["folder"]:
        raise FileError(f"{folder}: {plain['folder']!r} is not a plain folder name.")
    for name, digest in plain["files"].items():
        _same(own / Path(name).name, digest)
    samplings = _values(own, "steps") if "steps.json" in plain["files"] else []
    return Record(
        **{key: plain[key] for key in SINGLE if key != "path"}, path=tuple(plain["path"]),
        inputs=_values(own, "inputs"), outputs=_values(own, "outputs"),
        sampled=[_sampled(one) for one in samplings],
    )  # fmt: skip


def _same(path: Path, digest: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FileError(f"{path}: missing ({error.strerror}); the trace is not whole.") from error
    if found != digest:
        raise FileError(f"{path}: damaged, or edited (its SHA-256 differs).")


def _values(folder: Path, name: str) -> Any:
    path = folder / f"{name}.safetensors"
    known = tensors.read(path) if path.is_file() else {}
    return value(_parsed(folder / f"{name}.json"), known, str(folder / name))


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


def _safe(record: Record) -> str:
    name = re.sub(r"[^\w.-]", "_", record.name)[:80]
    return name if record.step is None else f"{name}-s{record.step:03d}"
