"""What is found to blame."""

from __future__ import annotations

from dataclasses import dataclass

MODULES = (
    "inputs", "data", "schedule", "time grid", "noise", "net", "guidance", "sampler", "seed",
    "pipeline", "block",
)  # fmt: skip
"""What can be to blame: a module of a model, how blocks are put together, or a block itself."""


@dataclass(frozen=True)
class Blame:
    """The first thing whose behaviour changed.

    Attributes:
        block: its path with dots; empty if nothing changed.
        step: the denoising step, from 0, if it changed within a sampling.
        module: one of `MODULES`. what: how the behaviour differs.
        details: settings and weights that differ there.
    """

    block: str = ""
    step: int | None = None
    module: str = ""
    what: str = ""
    details: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.module)

    def __str__(self) -> str:
        if not self:
            return "Nothing to blame: both make the same of these inputs."
        at = "" if self.step is None else f", step {self.step}"
        head = f"{self.block or 'the pipeline'}{at}: {self.module} ({self.what})"
        return "\n".join([head, *(f"  {line}" for line in self.details)])
