"""Independent distributions of several modalities, by name."""

from typing import Any, Self

from .. import tree
from ..base import Distribution
from ..rng import Rng
from ..tree import State
from .draw import draw


class Joint(Distribution):
    """A product of distributions; values, `nll` and `dkl` are dicts with the same keys."""

    parts: dict[str, Any]

    def sample(self, rng: Rng = None) -> tuple[State, State]:
        drawn = {key: draw(part, rng) for key, part in self.parts.items()}
        return {k: v for k, (v, _) in drawn.items()}, {k: e for k, (_, e) in drawn.items()}

    def nll(self, x: State) -> State:
        return {key: part.nll(x[key]) for key, part in self.parts.items()}

    def dkl(self, other: Self) -> State:
        return {key: part.dkl(other.parts[key]) for key, part in self.parts.items()}

    def to(self, *args: Any, **kwargs: Any) -> "Joint":
        return Joint(tree.map(lambda part: part.to(*args, **kwargs), self.parts))
