"""Progress bars for long work; silent where nobody looks."""

import sys
from typing import Any


class Bar:
    """A progress bar on standard error with the mean loss, if asked for and it is a terminal."""

    def __init__(self, total: int, show: bool, what: str = "training") -> None:
        self.total, self.what = total, what
        self.show = show
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "Bar":
        if self.show:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(file=sys.stderr), refresh_per_second=4)
            self._bar.start()
            self._task = self._bar.add_task(self.what, total=self.total, note="")
        return self

    def update(self, done: int, loss: float | None = None) -> None:
        """Show `done` of the total."""
        if self._bar is not None:
            note = "" if loss is None else f"loss {loss:.4f}"
            self._bar.update(self._task, completed=done, note=note)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
