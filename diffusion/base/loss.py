"""The contract of losses."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Self, overload

from torch import Tensor

from ..component import Component
from ..errors import InputError
from .distribution import D, D_contra, Distribution

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

    @overload
    def __add__(self, other: Loss[D_contra]) -> Sum[D_contra]: ...
    @overload
    def __add__(self: Loss[Distribution], other: Loss[D]) -> Sum[D]: ...
    def __add__(self, other: Loss[Any]) -> Sum[Any]:
        from ..loss.algebra import Sum

        return Sum((self, other))

    def __radd__(self, zero: int) -> Self:  # sum([...]) starts from 0
        if zero != 0:
            raise InputError(f"{zero!r} + {self!r}: losses add to losses, not to numbers.")
        return self

    @overload
    def __sub__(self, other: Loss[D_contra]) -> Sum[D_contra]: ...
    @overload
    def __sub__(self: Loss[Distribution], other: Loss[D]) -> Sum[D]: ...
    def __sub__(self, other: Loss[Any]) -> Sum[Any]:
        return self + -other
