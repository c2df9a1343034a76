"""Items of several modalities, by name."""

import copy
from typing import Any, Self

from ..base import Data
from ..tree import State


class Joint(Data):
    """A transform for every modality; `w` is a dict with the same names.

    Args:
        parts: a `Data` for each name; its own `w`, if any, is used where `w` is None.
    """

    parts: Any = None

    def __post_init__(self) -> None:
        self.parts = dict(self.parts or {})
        if self.w is None and all(part.w is not None for part in self.parts.values()):
            self.w = {key: part.w for key, part in self.parts.items()}

    def encode(self, w: State) -> State:
        return {key: part.encode(w[key]) for key, part in self.parts.items()}

    def decode(self, x: State) -> State:
        return {key: part.decode(x[key]) for key, part in self.parts.items()}

    def modules(self) -> dict[str, Any]:
        return {
            f"{key}/{name}": module
            for key, part in self.parts.items()
            for name, module in part.modules().items()
        }

    def using(self, modules: dict[str, Any]) -> Self:
        other = copy.copy(self)
        other.parts = {
            key: part.using(
                {n.split("/", 1)[1]: m for n, m in modules.items() if n.split("/", 1)[0] == key}
            )
            for key, part in self.parts.items()
        }
        return other

    def __len__(self) -> int:
        return 0 if self.w is None else len(next(iter(self.w.values())))
