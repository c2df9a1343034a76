"""Safetensors files read with bounds: the header is checked before anything is allocated."""

import json
import struct
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from ..errors import FileError

HEADER = 16 << 20
COUNT = 100_000
TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


def dump(tensors: dict[str, Tensor]) -> bytes:
    """The bytes of a safetensors file."""
    return save({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()})


def read(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, copied (a mapped file that is cut short kills the process)."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            _check(file, size, path)
            file.seek(0)
            return load(file.read())
    except FileNotFoundError:
        raise FileError(f"{path}: no such file.") from None
    except FileError:
        raise
    except (
        Exception
    ) as error:  # safetensors raises its own exception classes, all of them about the file
        raise FileError(f"{path}: not a valid safetensors file: {error}") from error


def header(path: Path) -> dict[str, Any]:
    """What a file says of its tensors, by name: dtype, shape, offsets; checked against its size."""
    try:
        with path.open("rb") as file:
            return _check(file, path.stat().st_size, path)
    except OSError as error:
        raise FileError(f"{path}: can't be read ({error.strerror}).") from error


def _check(file: Any, size: int, path: Path) -> dict[str, Any]:
    head = file.read(8)
    if len(head) < 8:
        raise FileError(
            f"{path}: {size} bytes is too short for a safetensors file; it is truncated."
        )
    (length,) = struct.unpack("<Q", head)
    if length > min(HEADER, size - 8):
        raise FileError(
            f"{path}: its header claims {length} bytes of a file of {size} (limit {HEADER}); it is "
            "truncated or not a safetensors file."
        )
    try:
        listed = json.loads(file.read(length))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: its header is not JSON: {error}") from error
    if not isinstance(listed, dict) or len(listed) > COUNT:
        raise FileError(f"{path}: expected a header of at most {COUNT} tensors.")
    end = 0
    for name, entry in listed.items():
        if name == "__metadata__":
            continue
        end = max(end, _entry(name, entry, path))
    if end != size - 8 - length:
        raise FileError(
            f"{path}: its tensors need {end} bytes, {size - 8 - length} are there; it is truncated."
        )
    return {name: entry for name, entry in listed.items() if name != "__metadata__"}


def _entry(name: str, entry: Any, path: Path) -> int:
    try:
        start, end = entry["data_offsets"]
        count = 1
        for axis in entry["shape"]:
            if not isinstance(axis, int) or axis < 0:
                raise ValueError(f"shape {entry['shape']}")
            count *= axis
        if entry["dtype"] not in TYPES or not 0 <= start <= end:
            raise ValueError(f"dtype {entry['dtype']!r}, offsets {start}, {end}")
        if end - start != count * TYPES[entry["dtype"]].itemsize:
            raise ValueError(f"{end - start} bytes for shape {entry['shape']}")
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path}: tensor {name!r} has a bad entry ({error}).") from error
    return int(end)


def assign(module: torch.nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Load a state dict, checked: every key and shape, no NaN. Nothing changes on an error."""
    own = module.state_dict()
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or extra:
        raise FileError(
            f"{where}: the weights do not fit the modules in model.yaml. Missing: "
            f"{_few(missing)}. Not expected: {_few(extra)}."
        )
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            raise FileError(
                f"{where}: {name} has shape {list(tensor.shape)}; the module needs "
                f"{list(own[name].shape)}."
            )
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise FileError(f"{where}: {name} holds NaN or infinity; the weights are damaged.")
    module.load_state_dict(tensors)


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:5]) or "none"
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
