"""Guidance around another guidance, which it uses or alters."""

from typing import Any

from ..base import Batch, Guidance, Noise
from ..errors import require
from .compose import Compose
from .regions import Regions


class Around(Guidance):
    """Base of the guidances that wrap one; training and what it fits are the inner one's.

    They also ask for the plain prediction, for one condition: of several there is none.
    """

    guidance: Guidance

    def __post_init__(self) -> None:
        name = f"{type(self).__name__}.guidance"
        require(isinstance(self.guidance, Guidance), name, "a guidance", repr(self.guidance))
        fix = "Put it to the right of Compose or Regions, or give one condition to ClassifierFree."
        several = any(isinstance(one, (Compose, Regions)) for one in inside(self.guidance))
        require(not several, name, "a guidance of one condition", repr(self.guidance), fix)
        vars(self)["conditional"] = self.guidance.conditional

    def corrupt(self, batch: Batch[Any]) -> None:
        self.guidance.corrupt(batch)

    def fits(self, noise: Noise[Any]) -> str | None:
        return self.guidance.fits(noise)


def inside(guidance: Guidance) -> list[Guidance]:
    """A guidance and those it is made of."""
    held: Any = getattr(guidance, "parts", None) or (getattr(guidance, "guidance", None),)
    return [guidance, *(one for part in held if part is not None for one in inside(part))]
