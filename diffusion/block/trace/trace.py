"""A trace: what is known of one or more runs of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError, suggest
from .record import Record


@dataclass
class Trace:
    """Records of blocks, in the order they began.

    Attributes:
        about: versions of what ran.
    """

    records: list[Record] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Record:
        """The first record of a block: `trace["denoise"]`."""
        return self.find(name)

    def find(self, name: str, step: int | None = None) -> Record:
        """The record of a block by its path with dots, and by its denoising step.

        Without a step, the first. Errors: none of that name.
        """
        named = [one for one in self.records if one.name == name]
        found = [one for one in named if step is None or one.step == step]
        if found:
            return found[0]
        if named:
            ran = ", ".join(str(one.step) for one in named)
            raise InputError(f"trace: {name} ran after the steps {ran:.200}; not after {step}.")
        names = list(dict.fromkeys(one.name for one in self.records))
        raise InputError(
            f"trace: no block {name!r} ran; there are {', '.join(names) or 'none'}."
            f"{suggest(name, names)}"
        )

    def save(self, folder: str | Path) -> None:
        """Write it as a folder, whole or not at all; see `diffusion.block.trace.folder`."""
        from .folder import write

        write(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Trace:
        """Read a folder. Errors: a `FileError` if it is damaged, or of another version."""
        from .folder import read

        return read(Path(folder))

    def report(self, path: str | Path) -> None:
        """Write an HTML page that needs nothing but itself."""
        from .report import write

        write(self, Path(path))
