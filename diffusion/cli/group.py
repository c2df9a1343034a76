"""The commands as a group: what an error of theirs looks like."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

PLAIN_ERRORS = (OSError, ValueError)


class Commands(TyperGroup):
    """Commands whose errors are one line for people, and a traceback with --debug."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As usual, but --debug may stand anywhere."""
        rest = [arg for arg in args if arg != "--debug"]
        found: list[str] = super().parse_args(ctx, ["--debug"] * (len(rest) < len(args)) + rest)
        return found

    def invoke(self, ctx: Any) -> Any:
        """Run the command; DiffusionError is exit code 1, an interruption 130 or 143."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            from .words import stopped

            raise typer.Exit(stopped(stop)) from None
        except PLAIN_ERRORS as error:
            from .words import told

            if ctx.params.get("debug") or not told(error):
                raise
            raise typer.Exit(1) from None
