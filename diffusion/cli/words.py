"""What the command line says about errors and interruptions, on standard error."""

from __future__ import annotations

import sys

import typer

from ..errors import DiffusionError


def told(error: Exception) -> bool:
    """Print an error that is meant for people, in one line; False if it is none."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror or error}"
    elif isinstance(error, DiffusionError):
        text = str(error)
    else:
        return False
    typer.secho(
        f"error: {' '.join(text.split())}", err=True, fg="red" if sys.stderr.isatty() else None
    )
    return True


def stopped(error: KeyboardInterrupt) -> int:
    """Print how an interrupted run goes on; the exit code."""
    text = str(error)
    typer.echo(f"stopped. {text}" if text else "stopped.", err=True)
    return 143 if text.startswith("SIGTERM") else 130


def note(text: str) -> None:
    """Something worth knowing that is not a result."""
    typer.echo(text, err=True)
