"""Kept values as JSON and a map of tensors, and back.

A tensor is `{"tensor": key}`, one that was too large `{"summary": {...}}`, two outputs in place of
one `{"split": [x, epsilon]}`, and what is no data `{"missing": "its type"}`. A map that happens to
look like one of these is `{"map": {...}}`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import FileError
from ...folder.tensors import TYPES
from ...noise.split import Split
from .value import Summary, raw, summary

Tensors = dict[str, Tensor]
NAMES = {dtype: name for name, dtype in TYPES.items()}
WORDS = {"tensor", "summary", "split", "missing", "map"}


class Missing:
    """Stands for a value that could not be written: an object that is no data."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"Missing({self.kind!r})"


class Writer:
    """Plain data for values. Attributes: tensors, by key; the same copy is written once."""

    def __init__(self) -> None:
        self.tensors: Tensors = {}
        self._keys: dict[int, str] = {}

    def __call__(self, value: Any, key: str) -> Any:
        """Plain data; tensors in it are put under names that begin with `key`."""
        if isinstance(value, (Tensor, np.ndarray)):
            tensor = torch.as_tensor(value)
            if tensor.dtype not in NAMES:  # complex numbers, say, which these files don't know
                return {"summary": asdict(summary(tensor))}
            return {"tensor": self._put(tensor, key)}
        if isinstance(value, Summary):
            return {"summary": asdict(value)}
        if isinstance(value, Split):
            return {"split": [self(value.x, f"{key}.x"), self(value.epsilon, f"{key}.epsilon")]}
        if isinstance(value, dict):
            inner = {str(name): self(one, f"{key}.{name}") for name, one in value.items()}
            return {"map": inner} if len(inner) == 1 and WORDS & inner.keys() else inner
        if isinstance(value, (list, tuple)):
            return [self(one, f"{key}.{i}") for i, one in enumerate(value)]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        return {"missing": value.kind if isinstance(value, Missing) else type(value).__name__}

    def _put(self, tensor: Tensor, key: str) -> str:
        known = self._keys.get(id(tensor))
        if known is None:
            known = self._keys[id(tensor)] = key
            self.tensors[key] = tensor
        return known


def packed(tensors: Tensors) -> bytes:
    """The bytes of a safetensors file; for many small tensors faster than the library's own."""
    header: dict[str, Any] = {}
    parts, end = [b""], 0
    for name, tensor in tensors.items():
        parts.append(raw(tensor.detach().cpu()).tobytes())
        start, end = end, end + len(parts[-1])
        kind, shape = NAMES[tensor.dtype], list(tensor.shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
    said = json.dumps(header).encode()
    said += b" " * (-len(said) % 8)
    return b"".join([struct.pack("<Q", len(said)), said, *parts])


def read(plain: Any, tensors: Tensors, where: str) -> Any:
    """The value that was written. Errors: a `FileError` if it can't have been."""
    if isinstance(plain, list):
        return [read(one, tensors, where) for one in plain]
    if not isinstance(plain, dict):
        return plain
    word = next(iter(plain), "")
    if len(plain) != 1 or word not in WORDS:
        return {name: read(one, tensors, where) for name, one in plain.items()}
    inner = plain[word]
    try:
        if word == "tensor":
            return tensors[inner]
        if word == "summary":
            return Summary(**{**inner, "shape": tuple(inner["shape"])})
        if word == "split":
            return Split(*(read(one, tensors, where) for one in inner))
        if word == "missing":
            return Missing(str(inner))
        return {name: read(one, tensors, where) for name, one in inner.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{where}: {plain!r:.100} stands for no value ({error}).") from error
