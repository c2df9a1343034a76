"""Repositories of the Hugging Face hub, downloaded at one revision, and kept for later."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import FileError, InputError

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
TEXTS = ("*.json", "*.txt", "*.model", "*.md")


def located(source: str | Path, revision: str | None, variant: str | None, progress: bool) -> Path:
    """The folder that `source` stands for, downloaded if it has to be.

    Errors: no such folder or repository; a revision of a local folder; a file that is no folder's.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        if revision is not None:
            raise InputError(f"load: {path} is a folder, which has no revision {revision!r}.")
        return path
    if path.is_file():
        return _of_file(path)
    name = str(source)
    if not REPOSITORY.fullmatch(name) or name.startswith("."):
        raise FileError(
            f"{source}: no such folder, and not the name of a repository (owner/name) either."
        )
    return _snapshot(name, revision, variant, progress)


def _of_file(path: Path) -> Path:
    """The folder of a weights file, with its config."""
    if path.suffix != ".safetensors":
        raise FileError(f"{path}: expected a folder, or a .safetensors file with its config.json.")
    if not (path.parent / "config.json").is_file():
        raise FileError(
            f"{path}: weights alone do not say what network they are of: put its config.json "
            "beside them. A checkpoint of one file in another layout is converted by Diffusers' "
            "from_single_file and save_pretrained."
        )
    return path.parent


def _snapshot(name: str, revision: str | None, variant: str | None, progress: bool) -> Path:
    """A repository's files at a revision: from the cache where the hub can't be reached."""
    hub = client()
    options: dict[str, Any] = {"revision": revision, "allow_patterns": [*TEXTS, *_weights(variant)]}
    try:
        try:
            return Path(hub.snapshot_download(name, **options))
        except hub.errors.LocalEntryNotFoundError:
            return Path(hub.snapshot_download(name, local_files_only=True, **options))
    except hub.errors.RevisionNotFoundError as error:
        raise FileError(f"{name}: no revision {revision!r} on the hub.") from error
    except (hub.errors.RepositoryNotFoundError, hub.errors.GatedRepoError) as error:
        raise FileError(
            f"{name}: no such repository, or it needs permission: accept its licence on the hub "
            "and log in (hf auth login)."
        ) from error
    except (hub.errors.LocalEntryNotFoundError, OSError) as error:
        raise FileError(
            f"{name}: the hub can't be reached, and this revision is not in the cache: {error}"
        ) from error


def _weights(variant: str | None) -> list[str]:
    if variant is None:
        return ["*.safetensors"]
    return [f"*.{variant}.safetensors", f"*.{variant}-*.safetensors", "*tokenizer*"]


def client() -> Any:
    """The hub's library. Errors: it is not installed."""
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError:
        raise InputError(
            'Repositories of the hub need huggingface_hub: pip install "diffusion-modules[hub]".'
        ) from None
    return huggingface_hub
