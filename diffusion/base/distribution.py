"""The contract of probability distributions."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self, TypeVar

from torch import Tensor

from ..component import Component, arguments


class Distribution(Component):
    """A batch of distributions, one for each element."""

    @abstractmethod
    def sample(self) -> tuple[Tensor, Tensor | None]:
        """A draw and the noise that made it (None where there is no such thing).

        The library's own distributions also take `rng`, a generator or one for each sample.
        """

    @abstractmethod
    def nll(self, x: Tensor) -> Tensor:
        """Negative log-likelihood of `x` in nats, element by element."""

    @abstractmethod
    def dkl(self, other: Any) -> Tensor:
        """Kullback-Leibler divergence D(self || other) in nats, element by element.

        `other` is of the same class; an override says so.
        """

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """`Tensor.to` on every tensor of the parameters."""
        tensors = {k: v for k, v in arguments(self).items() if isinstance(v, Tensor)}
        return self.vary(**{name: value.to(*args, **kwargs) for name, value in tensors.items()})


D = TypeVar("D", bound=Distribution)
D_co = TypeVar("D_co", bound=Distribution, covariant=True)
D_contra = TypeVar("D_contra", bound=Distribution, contravariant=True)
