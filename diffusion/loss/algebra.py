"""Sums and multiples of losses, and losses that are averages over samples."""

from abc import abstractmethod
from typing import Any

from torch import Tensor

from ..base import Batch, D, D_contra, Loss


class Sampled(Loss[D_contra]):
    """A loss that is the mean of one value for each sample, weighted by the time's importance."""

    @abstractmethod
    def each(self, batch: Batch[D_contra]) -> Tensor:
        """The loss of each sample, `[b]`."""

    def compute(self, batch: Batch[D_contra]) -> Tensor:
        each = self.each(batch)
        batch.samples[id(self)] = each.detach()
        return (each if batch.importance is None else each * batch.importance).mean()


class Product(Loss[D_contra]):
    """`factor * loss`."""

    factor: float
    loss: Loss[D_contra]

    def compute(self, batch: Batch[D_contra]) -> Tensor:
        return self.factor * measured(self.loss, batch)

    def terms(self) -> list[tuple[str, Loss[Any]]]:
        return self.loss.terms()

    def __repr__(self) -> str:
        inner = f"({self.loss!r})" if isinstance(self.loss, Sum) else repr(self.loss)
        return f"{self.factor:g} * {inner}"


class Sum(Loss[D_contra]):
    """The sum of several losses."""

    losses: tuple[Loss[D_contra], ...]

    def compute(self, batch: Batch[D_contra]) -> Tensor:
        first, *rest = (measured(loss, batch) for loss in self.losses)
        return sum(rest, start=first)

    def terms(self) -> list[tuple[str, Loss[Any]]]:
        return [term for loss in self.losses for term in loss.terms()]

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.losses))


def measured(loss: Loss[D], batch: Batch[D]) -> Tensor:
    """The loss, its value noted in `batch.log` under its name."""
    value = loss.compute(batch)
    if not isinstance(loss, (Sum, Product)):
        terms = loss.terms()
        name = terms[0][0] if len(terms) == 1 else "loss"
        known = batch.log.get(name)
        batch.log[name] = value if known is None else known + value
    return value


def samples(loss: Loss[Any], batch: Batch[Any]) -> Tensor | None:
    """The loss of each sample, `[b]`, after `compute`; None if some term has only a mean."""
    if isinstance(loss, Product):
        inner = samples(loss.loss, batch)
        return None if inner is None else loss.factor * inner
    if isinstance(loss, Sum):
        parts = [samples(part, batch) for part in loss.losses]
        known = [part for part in parts if part is not None]
        return sum(known[1:], start=known[0]) if len(known) == len(parts) else None
    return batch.samples.get(id(loss))
