"""The three ways in which Diffusers spaces steps, so that its settings can be carried over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.grid import Grid
from ..errors import choose, require
from .inverse import falling

if TYPE_CHECKING:
    from ..noise.clock import Clock

KINDS = ("linspace", "leading", "trailing")


class Spacing(Grid):
    """`timestep_spacing` of a Diffusers scheduler; its timestep 0 is t = 1 here. Lin et al. 2023.

    Args:
        kind: "linspace" (both ends), "leading" (multiples of T/steps, as DDIM was published) or
            "trailing" (counted from T). offset: `steps_offset`, added to "leading".
    """

    kind: str = "leading"
    offset: int = 0

    def __post_init__(self) -> None:
        require(self.steps >= 1, "Spacing.steps", "at least 1", self.steps)
        choose("Spacing.kind", self.kind, KINDS)
        require(self.offset >= 0, "Spacing.offset", ">= 0", self.offset)

    def times(self, clock: Clock, continuous: bool) -> list[Any]:
        top, count = clock.steps, self.steps
        require(count <= top, "Spacing.steps", f"at most the schedule's {top} steps", count)
        if self.kind == "linspace":
            spread = [(top - 1) * (1 - i / max(count - 1, 1)) for i in range(count)]
            found = [round(t) for t in spread]
        elif self.kind == "leading":
            found = [top // count * i + self.offset for i in range(count)][::-1]
        else:
            found = [round(top - i * top / count) - 1 for i in range(count)]
        found = falling([min(t + 1, top) for t in found] + [0], count, repr(self))
        return [t / top for t in found] if continuous else found
