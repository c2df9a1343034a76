"""Guidance in a limited interval of noise levels.

Kynkäänniemi et al. 2024: guidance harms diversity at high noise and does little at low noise. The
interval is one of u = t/T, and outside it the prediction is the plain one, at half the cost.
"""

from functools import reduce
from typing import Any

import torch
from torch import Tensor

from ..base import Predict
from ..errors import require
from ..noise.joint import Joint
from ..tree import State
from .around import Around
from .number import number
from .parts import outputs


class Interval(Around):
    """Another guidance where low <= t/T <= high.

    Args:
        guidance: what happens inside. low, high: times in [0, 1], 1 is pure noise.
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("Interval.low", self.low, 0, 1)
        number("Interval.high", self.high, 0, 1)
        ordered = 0 <= self.low <= self.high <= 1
        require(ordered, "Interval", "0 <= low <= high <= 1", f"{self.low} and {self.high}")

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        inner, top = self.guidance(predict, noise), _top(noise)

        def guided(z: State, y: State, t: Any) -> State:
            chosen = self._chosen(t, top)
            if not isinstance(chosen, Tensor):
                return (inner if chosen else predict)(z, y, t)
            plain, other = predict(z, y, t), inner(z, y, t)
            return outputs(lambda a, b: torch.where(_rows(chosen, a), b, a), plain, other)

        return guided

    def _chosen(self, t: Any, top: int) -> bool | Tensor:
        """Whether the time, or each sample's, is inside; of several modalities, the noisiest's."""
        if isinstance(t, dict):
            t = _latest(list(t.values()))
        if isinstance(t, Tensor):
            u = t if t.is_floating_point() else t / top
            return (u >= self.low) & (u <= self.high)
        return self.low <= (t if isinstance(t, float) else t / top) <= self.high


def _latest(times: list[Any]) -> Any:
    if any(isinstance(t, Tensor) for t in times):
        return reduce(torch.maximum, map(torch.as_tensor, times))
    return max(times)


def _rows(chosen: Tensor, hat: Tensor) -> Tensor:
    return chosen.to(hat.device).reshape(1, -1, *(1,) * (hat.dim() - 2))


def _top(noise: Any) -> int:
    """T, of a bound noise."""
    if isinstance(noise, Joint):
        noise = next(iter(noise.parts.values()))
    steps: int = noise.clock.steps if hasattr(noise, "clock") else noise.top
    return steps
