"""Tensors that are pages of a safetensors file: read from the disk when first used."""

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .tensors import TYPES, header


def mapped(path: Path, size: int | None = None) -> Iterator[tuple[str, Tensor]]:
    """Each tensor of a file by name, in the file's order, on mapped memory that is private.

    Writing to a tensor leaves the file alone. With a `size`, so many bytes are mapped at a time:
    those of tensors that the caller has dropped are given back.

    Errors: see `header`. A file that is cut short afterwards kills the process that reads it.
    """
    entries = header(path)
    with path.open("rb") as file:
        base = 8 + int.from_bytes(file.read(8), "little")
        for names in _groups(entries, size):
            spans = [entries[name]["data_offsets"] for name in names]
            first = base + spans[0][0]
            start = first - first % mmap.ALLOCATIONGRANULARITY
            length = base + spans[-1][1] - start
            memory = mmap.mmap(file.fileno(), length, access=mmap.ACCESS_COPY, offset=start)
            for name, (offset, _) in zip(names, spans, strict=True):
                yield name, _tensor(memory, base + offset - start, entries[name])
            del memory


def _groups(entries: Mapping[str, Any], size: int | None) -> Iterator[list[str]]:
    """Names in the order of the file, each group as soon as it has `size` bytes."""
    names = sorted(entries, key=lambda name: entries[name]["data_offsets"])
    group: list[str] = []
    start = 0
    for name in names:
        group.append(name)
        end = entries[name]["data_offsets"][1]
        if size and end - start >= size:
            yield group
            group, start = [], end
    if group:
        yield group


def _tensor(memory: mmap.mmap, offset: int, entry: Mapping[str, Any]) -> Tensor:
    start, end = entry["data_offsets"]
    dtype = TYPES[entry["dtype"]]
    if start == end:
        return torch.empty(entry["shape"], dtype=dtype)
    if offset % dtype.itemsize:  # written without padding: no address that this type may have
        plain = bytearray(memory[offset : offset + end - start])
        return torch.frombuffer(plain, dtype=dtype).view(entry["shape"])
    count = (end - start) // dtype.itemsize
    return torch.frombuffer(memory, dtype=dtype, offset=offset, count=count).view(entry["shape"])
