"""Writing `pipeline.yaml`: what lies beside it first, the file itself last, in one step."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ...errors import FileError, InputError
from ...folder import lines, tensors
from .plain import Plain

if TYPE_CHECKING:
    from ..base import Block

FORMAT = 1
ENDINGS = (".yaml", ".yml")


def save(block: Block, path: str | Path, weights: bool = False) -> None:
    """Write a pipeline as data.

    Args:
        path: of a .yaml file; what was there is replaced at the end, or stays as it is.
        weights: write models that were read from nowhere beside it, as folders in `NAME-models`.

    Models are written as where they were read from, and the hash of their weights; those that were
    changed since, or built in Python, are an error without `weights`.

    Errors: functions and other values that no file can hold, by their place.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise InputError(f"{path}: expected a file that ends in {' or '.join(ENDINGS)}.")
    plain = Plain(path.parent.resolve(), path.parent / f"{path.stem}-models", weights)
    root = plain.value(block, type(block).__name__)
    content: dict[str, Any] = {"format": FORMAT}
    content |= {"models": plain.models} if plain.models else {}
    if plain.tensors:
        data = tensors.dump(plain.tensors)
        digest = hashlib.sha256(data).hexdigest()
        # Called by its content: the former pipeline keeps its own until it is replaced.
        name = f"{path.stem}-{digest[:12]}.safetensors"
        replace(path.parent / name, data)
        content["tensors"] = {"file": name, "hash": digest}
    content["pipeline"] = root
    text = dumped(content)
    try:
        lines.parse(text, str(path))
    except FileError as error:
        raise InputError(f"{path}: can't be written so that it can be read: {error}") from error
    replace(path, text.encode())


def replace(path: Path, data: bytes) -> None:
    """Write a file in one step, whole or not at all."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(part).chmod(0o666 & ~mask)
        Path(part).replace(path)
    except OSError as error:
        if part is not None:
            Path(part).unlink(missing_ok=True)
        raise FileError(f"{path}: could not be written ({error.strerror}).") from error


class _Dumper(yaml.SafeDumper):
    """Quotes what `lines` reads as a number, and writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver(*lines.FLOATS)


def dumped(plain: Any) -> str:
    """YAML text that `lines` reads as the same data."""
    text: str = yaml.dump(
        plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100,
        default_flow_style=None,
    )  # fmt: skip
    return text
