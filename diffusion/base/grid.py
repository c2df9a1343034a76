"""The contract of grids."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from ..component import Component

if TYPE_CHECKING:
    from ..noise.clock import Clock


class Grid(Component):
    """Which times a sampling visits: `model.sample(steps=grid.Karras(20))`.

    Args:
        steps: how many steps, so that there are `steps + 1` times.
    """

    steps: int

    @abstractmethod
    def times(self, clock: Clock, continuous: bool) -> list[Any]:
        """Strictly descending host times to 0: floats u = t/T if `continuous`, else step indices.

        Args:
            clock: the scales of the process by time.
        """
