"""Kept values as JSON with their tensors aside, and back.

A tensor is `{"tensor": where}`, one that was too large `{"summary": {...}}`, two outputs in place
of one `{"split": [x, epsilon]}`, and what is no data `{"missing": "its type"}`. A map that happens
to look like one of these is `{"map": {...}}`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import FileError
from ...folder.tensors import TYPES
from ...noise.split import Split
from .value import Summary, summary

Put = Callable[[Tensor, str], Any]
DTYPES = set(TYPES.values())
PLAIN = {type(None), bool, int, float, str}
WORDS = {"tensor", "summary", "split", "missing", "map"}


class Missing:
    """Stands for a value that could not be written: an object that is no data."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"Missing({self.kind!r})"


class Writer:
    """Plain data for values.

    Args:
        put: takes a tensor and the name of its value, and returns where it is, as plain data.
    """

    def __init__(self, put: Put) -> None:
        self.put = put

    def __call__(self, value: Any, name: str) -> Any:
        """Plain data; what is in a value is called after it: `name.0`, `name.key`."""
        if type(value) in PLAIN:
            return value
        if isinstance(value, (Tensor, np.ndarray)):
            tensor = value if isinstance(value, Tensor) else torch.as_tensor(value)
            if tensor.dtype not in DTYPES:  # complex numbers, say, which these files don't know
                return {"summary": asdict(summary(tensor))}
            return {"tensor": self.put(tensor, name)}
        if isinstance(value, Summary):
            return {"summary": asdict(value)}
        if isinstance(value, Split):
            return {"split": [self(value.x, f"{name}.x"), self(value.epsilon, f"{name}.epsilon")]}
        if isinstance(value, dict):
            inner = {str(key): self(one, f"{name}.{key}") for key, one in value.items()}
            return {"map": inner} if len(inner) == 1 and WORDS & inner.keys() else inner
        if isinstance(value, (list, tuple)):
            return [self(one, f"{name}.{i}") for i, one in enumerate(value)]
        if isinstance(value, (bool, int, float, str)):
            return value
        return {"missing": value.kind if isinstance(value, Missing) else type(value).__name__}


def read(plain: Any, get: Callable[[Any], Tensor], where: str) -> Any:
    """The value that was written. Errors: a `FileError` if it can't have been.

    Args:
        get: the tensor that is at a place. where: for errors.
    """
    if isinstance(plain, list):
        return [read(one, get, where) for one in plain]
    if not isinstance(plain, dict):
        return plain
    word = next(iter(plain), "")
    if len(plain) != 1 or word not in WORDS:
        return {name: read(one, get, where) for name, one in plain.items()}
    inner = plain[word]
    try:
        if word == "tensor":
            return get(inner)
        if word == "summary":
            return Summary(**{**inner, "shape": tuple(inner["shape"])})
        if word == "split":
            return Split(*(read(one, get, where) for one in inner))
        if word == "missing":
            return Missing(str(inner))
        return {name: read(one, get, where) for name, one in inner.items()}
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise FileError(f"{where}: {plain!r:.100} stands for no value ({error}).") from error
