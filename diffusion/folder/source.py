"""Where a model was read from, which is remembered on it: pipelines are saved by that."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple


class Source(NamedTuple):
    """What it takes to read a model again.

    Attributes:
        place: a folder's absolute path, or the name of a repository, "owner/name".
        commit: of a repository. variant, dtype: see `diffusion.load`.
        custom: classes beside the library's.
    """

    place: str
    commit: str | None = None
    variant: str | None = None
    dtype: Any = None
    custom: tuple[type, ...] = ()


def source(given: str | Path, folder: Path, variant: str | None, dtype: Any) -> Source:
    """Of what was asked for by `given`, and found in `folder`."""
    local = Path(given).expanduser().exists()
    place = str(folder.resolve()) if local else str(given)
    return Source(place, commit(given, folder), variant, dtype)


def commit(given: str | Path, folder: Path) -> str | None:
    """Of a repository: the folders of the hub's cache are called by their commits."""
    cached = folder.parent.name == "snapshots" and not Path(given).expanduser().exists()
    return folder.name if cached else None
