"""Folders that are either whole or not there.

Files are written into a temporary folder beside the target, flushed to disk, listed with their
SHA-256 in `manifest.json`, and the folder is renamed. A folder without a valid manifest does not
count as written.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..errors import FileError

MANIFEST = "manifest.json"


def commit(target: Path, files: dict[str, bytes]) -> None:
    """Write `files` as the folder `target`, replacing what a former commit wrote there.

    Errors: a target that is something else; a full disk, with the bytes needed and free.
    """
    listed = {name: _digest(name, data) for name, data in files.items()}
    every = {**files, MANIFEST: (json.dumps(listed, indent=2) + "\n").encode()}

    def write(part: Path) -> None:
        for name, data in every.items():
            _write(part / name, data)

    publish(target, write, sum(map(len, every.values())))


def publish(
    target: Path, write: Callable[[Path], None], needed: int, flush: bool = True
) -> None:  # fmt: skip
    """Make the folder `target` of what `write` puts into an empty one, in one step.

    Args:
        needed: its bytes, for an error about a full disk. Other errors: see `commit`.
        flush: whether it must outlive a power cut that follows, which costs time for every file.
    """
    if target.exists() and not (target / MANIFEST).is_file() and any(_children(target)):
        raise FileError(
            f"{target}: exists and was not written by this library (no {MANIFEST}); it is left as "
            "it is. Choose another folder."
        )
    part = target.parent / f".{target.name}.part"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        write(part)
        _settle(part, flush)
        _swap(part, target)
        if flush:
            _sync(target.parent)
    except OSError as error:
        there = next(p for p in target.parents if p.exists())
        free = shutil.disk_usage(there).free
        raise FileError(
            f"{target}: could not be written ({error.strerror}); {needed} bytes needed, {free} "
            "free. Earlier folders are intact."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def verify(folder: Path) -> None:
    """Raise unless every file of the manifest is there with its hash."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > 1 << 20:
            raise FileError(f"{path}: too large for a manifest.")
        listed = json.loads(path.read_text("utf-8"))
        items = sorted(listed.items())
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(
            f"{folder}: no valid {MANIFEST}; the folder was not written whole."
        ) from error
    for name, digest in items:
        if digest is None and (folder / name).is_file():
            continue
        if Path(name).name != name:
            raise FileError(f"{path}: {name!r} is not a plain file name.")
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise FileError(f"{folder}: {name} is missing ({error.strerror}).") from error
        if found != digest:
            raise FileError(f"{folder}: {name} is damaged or was edited (its SHA-256 differs).")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder, by its path in it."""
    found = {}
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found[path.relative_to(folder).as_posix()] = digest
    return found


def _digest(name: str, data: bytes) -> str | None:
    # YAML is for people to edit, so a changed one is not damage; what it says is checked on load.
    return None if name.endswith(".yaml") else hashlib.sha256(data).hexdigest()


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else [folder]


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _settle(part: Path, flush: bool) -> None:
    """Give a folder the modes that the umask says, and bring it to the disk."""
    mask = _umask()
    for path in (*sorted(part.rglob("*"), reverse=True), part):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
        if flush:
            _sync(path)


def _swap(part: Path, target: Path) -> None:
    """Rename `part` to `target`; a former folder is moved aside first and removed last."""
    if not target.exists():
        part.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.rename(old / "was")
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
