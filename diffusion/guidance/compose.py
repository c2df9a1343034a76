"""Several guidances, applied left to right."""

from typing import Any, ClassVar

from ..base import Batch, Guidance, Predict


class Compose(Guidance):
    """What `a | b` makes: `b` guides what `a` has guided."""

    parts: tuple[Guidance, ...]
    conditional: ClassVar[bool] = False

    def __post_init__(self) -> None:
        flat = [p for part in self.parts for p in getattr(part, "parts", (part,))]
        self.parts = tuple(flat)
        vars(self)["conditional"] = any(part.conditional for part in self.parts)

    def corrupt(self, batch: Batch[Any]) -> None:
        for part in self.parts:
            part.corrupt(batch)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        for part in self.parts:
            predict = part(predict, noise)
        return predict
