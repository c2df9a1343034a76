"""Several guidances, applied left to right."""

from typing import Any, ClassVar

from ..base import Batch, Guidance, Noise, Predict
from ..errors import InputError


class Chain(Guidance):
    """What `a | b` makes: `b` guides what `a` has guided."""

    parts: tuple[Guidance, ...]
    conditional: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for part in self.parts:
            if not isinstance(part, Guidance):
                what = f"the class {part.__name__} (call it)" if isinstance(part, type) else part
                raise InputError(f"guidance | guidance: expected a guidance; got {what}.")
        flat = [p for part in self.parts for p in getattr(part, "parts", (part,))]
        self.parts = tuple(flat)
        vars(self)["conditional"] = any(part.conditional for part in self.parts)

    def corrupt(self, batch: Batch[Any]) -> None:
        for part in self.parts:
            part.corrupt(batch)

    def fits(self, noise: Noise[Any]) -> str | None:
        return next((why for part in self.parts if (why := part.fits(noise))), None)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        for part in self.parts:
            predict = part(predict, noise)
        return predict
