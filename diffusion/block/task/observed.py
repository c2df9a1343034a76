"""Guidance by what was observed of each sample, which comes with the conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ...base import Guidance, Noise, Predict
from ...guidance import Observe
from ...guidance.observe import METHODS
from ...net.beside import OWN
from ...tree import State

SEEN = "observed"


class Observed(Guidance):
    """`guidance.Observe`, whose `y` is the condition `observed` of each sampling.

    Args:
        operator, noise, method, strength, iterations: as of `guidance.Observe`.
    """

    operator: Callable[[Tensor], Tensor]
    noise: float = 0.05
    method: str = METHODS[0]
    strength: float = 1.0
    iterations: int = 5

    def fits(self, noise: Noise[Any]) -> str | None:
        return self._observing(Tensor()).fits(noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        def guided(z: State, y: State, t: Any) -> State:
            if not isinstance(y, dict) or SEEN not in y:
                return predict(z, y, t)
            rest = {key: value for key, value in y.items() if key != SEEN}
            own = rest[OWN] if [*rest] == [OWN] else rest
            return self._observing(y[SEEN])(predict, noise)(z, own, t)

        return guided

    def _observing(self, seen: Tensor) -> Observe:
        return Observe(
            self.operator, seen, self.noise, self.method, self.strength, self.iterations
        )  # fmt: skip
