"""The contract of losses."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Self

from torch import Tensor

from ..component import Component
from ..errors import InputError
from .distribution import D, D_contra

if TYPE_CHECKING:
    from ..batch import Batch
    from ..loss.algebra import Product, Sum


class Loss(Component, Generic[D_contra]):
    """What training minimises. Losses add, subtract, scale and divide by numbers."""

    @abstractmethod
    def compute(self, batch: Batch[D_contra]) -> Tensor:
        """The loss of a batch, a scalar."""

    def terms(self) -> list[tuple[str, Loss[Any]]]:
        """The elementary losses by name, for logging and checks."""
        return [(type(self).__name__.lower(), self)]

    def __mul__(self, factor: float) -> Product[D_contra]:
        from ..loss.algebra import Product

        return Product(factor, self)

    def __rmul__(self, factor: float) -> Product[D_contra]:
        return self * factor

    def __truediv__(self, divisor: float) -> Product[D_contra]:
        if divisor == 0:
            raise InputError(f"{self!r} / 0: a loss can't be divided by zero.")
        return self * (1 / divisor)

    def __neg__(self) -> Product[D_contra]:
        return self * -1.0

    def __add__(self: Loss[D], other: Loss[D]) -> Sum[D]:
        from ..loss.algebra import Sum

        return Sum((self, other))

    def __radd__(self, zero: int) -> Self:  # sum([...]) starts from 0
        if zero != 0:
            raise InputError(f"{zero!r} + {self!r}: losses add to losses, not to numbers.")
        return self

    def __sub__(self: Loss[D], other: Loss[D]) -> Sum[D]:
        return self + -other
