"""A folder for each source: complete files only, and the SHA-256 that each had at first."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from diffusion.errors import FileError

LIMIT = 256 * 2**20
"""Bytes: no file of these data sets is larger, so whatever is larger is not one of them."""

RECORD = "sha256.json"


def root() -> Path:
    """`$DIFFUSION_DATA`, else `~/.cache/diffusion-examples`."""
    chosen = os.environ.get("DIFFUSION_DATA")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "diffusion-examples"


def ensure(name: str, files: Sequence[str], fetch: Callable[[Path, Path], None]) -> Path:
    """The folder of source `name` with all of `files` in it, fetched if any is absent.

    `fetch(scratch, folder)` leaves the files in `scratch`; `folder` is for its error messages.
    A file appears in the folder by a rename, so an interrupted fetch leaves no half file.

    Raises:
        FileError: a file differs from what was recorded, or could not be fetched.
    """
    folder = root() / name
    folder.mkdir(parents=True, exist_ok=True)
    if not all((folder / file).is_file() for file in files):
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
            fetch(Path(scratch), folder)
            _record(Path(scratch), files)
            for file in (*files, RECORD):
                os.replace(Path(scratch, file), folder / file)
    elif not (folder / RECORD).is_file():
        _record(folder, files)
    _verify(folder, files)
    return folder


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    if path.stat().st_size > LIMIT:
        raise FileError(f"{path}: expected at most {LIMIT:,} bytes; got {path.stat().st_size:,}.")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _record(folder: Path, files: Sequence[str]) -> None:
    digests = {file: digest(folder / file) for file in files}
    part = folder / f"{RECORD}.{os.getpid()}"
    part.write_text(json.dumps(digests, indent=2) + "\n", encoding="utf-8")
    os.replace(part, folder / RECORD)


def _verify(folder: Path, files: Sequence[str]) -> None:
    try:
        recorded = dict(json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except ValueError as error:
        raise FileError(f"{folder / RECORD}: expected JSON; got {error}. Delete it.") from error
    for file in files:
        found = digest(folder / file)
        if found != recorded.get(file):
            raise FileError(
                f"{folder / file}: expected the file of the first fetch (SHA-256 "
                f"{str(recorded.get(file))[:12]}…); got {found[:12]}…. Delete the folder {folder} "
                "to fetch it again."
            )
