"""SHA-256 of the files that a model is read from."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from ...errors import FileError
from ...hub.files import weights

TEXTS = ("*.yaml", "*.json", "*.txt", "*.model")
OWN = "model.yaml"


def weight_files(folder: Path, variant: str | None = None) -> list[Path]:
    """The files with the weights of a model's folder, of ours or of Diffusers."""
    if (folder / OWN).is_file():
        return sorted(folder.glob("*.safetensors"))
    found: list[Path] = []
    for inner in (folder, *sorted(one for one in folder.iterdir() if one.is_dir())):
        try:
            found += weights(inner, variant).files
        except FileError:  # a part without weights, such as a scheduler
            continue
    return found


def all_files(folder: Path, variant: str | None = None) -> list[Path]:
    """The weights, and the texts that say what they are weights of."""
    inner = [folder, *sorted(one for one in folder.iterdir() if one.is_dir())]
    texts = {path for one in inner for pattern in TEXTS for path in one.glob(pattern)}
    texts -= {folder / "manifest.json"}  # repeats what is listed here
    return [*weight_files(folder, variant), *sorted(texts)]


def listed(folder: Path, paths: list[Path]) -> dict[str, str]:
    """The hash of each file, by its path in the folder."""
    return {path.relative_to(folder).as_posix(): of_file(path) for path in paths}


def of_weights(folder: Path, variant: str | None = None) -> str:
    """One hash for all weights of a folder."""
    every = listed(folder, weight_files(folder, variant))
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(every.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def of_file(path: Path) -> str:
    """The hash of a file; it is read again only when it has changed."""
    state = path.stat()
    return _of_file(path, state.st_size, state.st_mtime_ns, state.st_ino)


@functools.lru_cache(4096)
def _of_file(path: Path, *state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
