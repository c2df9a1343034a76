"""The tensors of a trace in a few arrays: those of one type and shape on top of each other.

A sampling leaves hundreds of small tensors. One by one, their names and offsets would cost more
time and space than what is in them.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import torch
from torch import Tensor

from ...folder.tensors import TYPES
from .value import raw

NAMES = {dtype: name for name, dtype in TYPES.items()}
Where = list[int]


class Stacks:
    """Gathers tensors; the same one is kept once."""

    def __init__(self) -> None:
        self._stacks: dict[tuple[object, ...], list[Tensor]] = {}
        self._numbers: dict[tuple[object, ...], int] = {}
        self._known: dict[int, Where] = {}

    def __call__(self, tensor: Tensor, name: str = "") -> Where:
        """The number of the stack that a tensor is in, and its place there."""
        known = self._known.get(id(tensor))
        if known is None:
            kind = tensor.dtype, tensor.shape, tensor.device
            stack = self._stacks.get(kind)
            if stack is None:
                self._numbers[kind] = len(self._stacks)
                stack = self._stacks[kind] = []
            known = self._known[id(tensor)] = [self._numbers[kind], len(stack)]
            stack.append(tensor)
        return known

    def packed(self) -> bytes:
        """The bytes of a safetensors file, with a stack under each number.

        For small arrays faster than the library's own writer.
        """
        header: dict[str, Any] = {}
        parts, end = list[bytes](), 0
        for kind in sorted(self._stacks, key=lambda kind: -self._stacks[kind][0].itemsize):
            stack = torch.stack(self._stacks[kind]).detach().cpu()
            parts.append(raw(stack).tobytes())
            start, end = end, end + len(parts[-1])
            dtype, shape = NAMES[stack.dtype], list(stack.shape)
            header[str(self._numbers[kind])] = {
                "dtype": dtype, "shape": shape, "data_offsets": [start, end],
            }  # fmt: skip
        said = json.dumps(header).encode()
        said += b" " * (-len(said) % 8)
        return b"".join([struct.pack("<Q", len(said)), said, *parts])


def at(where: Where, stacks: dict[str, Tensor]) -> Tensor:
    """The tensor at a place. Errors: an `IndexError` or such if there is none."""
    number, index = where
    if index < 0:
        raise IndexError(index)
    return stacks[str(number)][index].clone()
