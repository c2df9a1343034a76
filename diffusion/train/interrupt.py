"""SIGINT and SIGTERM while training into a folder: finish the step, save, stop."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any


class Interrupt:
    """Turns the first signal into a request; a second one acts at once."""

    def __init__(self, active: bool) -> None:
        self.active = active and threading.current_thread() is threading.main_thread()
        self.asked: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupt":
        if self.active:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = number
        self.__exit__()  # a second signal is handled as it was before

    def obey(self, folder: str | Path | None) -> None:
        """Stop if a signal came; the checkpoint is on disk already."""
        if self.asked is not None:
            name = signal.Signals(self.asked).name
            raise KeyboardInterrupt(
                f"{name}: saved to {folder}; the same call continues from there."
            )
