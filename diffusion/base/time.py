"""The contract of training times."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor

from ..component import Component


class Time(Component):
    """Which times the training visits."""

    continuous: ClassVar[bool] = False
    """Whether `sample` gives floats in [0, 1]; sampling then gives the network floats as well."""

    @abstractmethod
    def sample(self, steps: int, size: int) -> Tensor:
        """`size` times: integers 1..steps, or floats in (0, 1]."""

    def weight(self, t: Tensor, steps: int) -> Tensor | None:
        """Importance weights `[b]` = uniform density / own density, or None for no correction."""
        return None

    def observe(self, t: Tensor, steps: int, loss: Tensor) -> None:
        """Learn from the losses `[b]` that the drawn times gave."""
