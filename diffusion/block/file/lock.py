"""`pipeline.lock`: the hashes and revisions by which a pipeline is the same everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ... import __version__
from ...errors import FileError
from ...folder import lines, text
from ...folder.lines import Node
from ...folder.source import Source
from . import digest
from .build import Builder
from .entry import folder_of, resolved
from .models import Models
from .write import dumped, replace

FORMAT = 1
KEYS = ("format", "library", "pipeline", "components", "models")


def lock_path(path: Path) -> Path:
    """The lock file of a pipeline's file."""
    return path.with_suffix(".lock")


def lock(path: str | Path, custom: Iterable[type] = ()) -> Path:
    """Write the lock file of a pipeline: what it is made of now. Errors: those of reading it."""
    path, classes = Path(path), tuple(custom)
    tree = lines.read(path)
    models = Models(path, tree, classes, "cpu", None)
    builder = Builder(models, classes)
    builder.value(tree["pipeline"])
    content = {
        "format": FORMAT, "library": __version__, "pipeline": _content(tree),
        "components": {name: cls.version for name, cls in sorted(builder.found.items())},
        "models": {name: _pinned(source) for name, source in models.sources().items()},
    }  # fmt: skip
    target = lock_path(path)
    replace(target, dumped(content).encode())
    return target


class Pins:
    """What a lock file says. Each method raises `FileError` where something differs, naming it."""

    def __init__(self, path: Path, tree: Mapping[str, Node]) -> None:
        self.path = lock_path(path)
        if not self.path.is_file():
            raise FileError(f"{self.path}: there is no lock file; write it: diffusion lock {path}.")
        self.plain = text.read(self.path)
        self._fix = f" If that is meant, write the lock again: diffusion lock {path}."
        if sorted(self.plain) != sorted(KEYS) or self.plain["format"] != FORMAT:
            raise FileError(
                f"{self.path}: expected format {FORMAT} with {', '.join(KEYS)}; got "
                f"{', '.join(map(str, self.plain))}."
            )
        self._equal("the library's version", __version__, self.plain["library"])
        self._equal(f"{path}, its content,", _content(tree), self.plain["pipeline"])

    def source(self, name: str, source: Source) -> Source:
        """A model's source at the commit that was locked."""
        return source._replace(commit=self._model(name).get("commit"))

    def model(self, name: str, folder: Path, variant: str | None) -> None:
        """Compare the files of a model."""
        found = digest.listed(folder, digest.all_files(folder, variant))
        wanted = _map(self._model(name).get("files"))
        for file in sorted({*found, *wanted}):
            told = f"model {name}: the hash of {folder / file}"
            self._equal(told, found.get(file), wanted.get(file))

    def components(self, found: Mapping[str, Any]) -> None:
        """Compare the versions of components."""
        wanted = _map(self.plain["components"])
        for name in sorted({*found, *wanted}):
            own = found[name].version if name in found else None
            self._equal(f"the version of {name}", own, wanted.get(name))

    def _model(self, name: str) -> dict[str, Any]:
        found = _map(self.plain["models"]).get(name)
        if not isinstance(found, dict):
            raise FileError(f"{self.path}: the model {name} is not locked.{self._fix}")
        return found

    def _equal(self, what: str, found: Any, locked: Any) -> None:
        if found != locked:
            raise FileError(
                f"{self.path}: {what} differs: locked is {_short(locked)}, found "
                f"{_short(found)}.{self._fix}"
            )


def _map(plain: Any) -> dict[str, Any]:
    return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}


def _short(value: Any) -> str:
    shown = "nothing" if value is None else str(value)
    return f"{shown[:12]}..." if len(shown) == 64 else shown[:60]


def _pinned(source: Source) -> dict[str, Any]:
    folder = folder_of(source)
    commit = resolved(source, folder).commit
    files = digest.listed(folder, digest.all_files(folder, source.variant))
    return ({"commit": commit} if commit else {}) | {"files": files}


def _content(tree: Mapping[str, Node]) -> str:
    """The hash of what a file says, whatever its layout and comments."""
    plain = {key: node.plain() for key, node in tree.items()}
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()
