"""How good samples are, beside how good real items are by the same measure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from .frechet import frechet
from .judge import Judge


@dataclass(frozen=True)
class Quality:
    """A judge's verdict on samples.

    Attributes:
        accuracy: part of the samples read as the class they were asked for.
        real_accuracy: the same for held-out real pictures: what the judge is worth.
        frechet: Fréchet distance in the judge's features, samples against held-out pictures.
        real_frechet: training pictures against held-out pictures, as many and in the same classes.
        samples: how many samples `accuracy` is about.
        count: pictures on each side of both distances, which are biased at small counts.
    """

    accuracy: float
    real_accuracy: float
    frechet: float
    real_frechet: float
    samples: int
    count: int

    @property
    def ratio(self) -> float:
        """`frechet / real_frechet`: 1 is as far from held-out pictures as real ones are."""
        return self.frechet / max(self.real_frechet, 1e-12)

    def plain(self) -> dict[str, Any]:
        """The numbers by name, for JSON."""
        return {**dataclasses.asdict(self), "ratio": self.ratio}

    def __str__(self) -> str:
        rows = [
            ("", "samples", "real", ""),
            ("read as the right class", f"{self.accuracy:.1%}", f"{self.real_accuracy:.1%}",
             f"{self.samples:,} samples"),
            ("Fréchet distance to held-out", f"{self.frechet:.2f}", f"{self.real_frechet:.2f}",
             f"{self.ratio:.2f} of real, at N = {self.count:,}"),
        ]  # fmt: skip
        width = max(len(row[0]) for row in rows)
        return "\n".join(f"{a:{width}}  {b:>8}  {c:>8}  {d}".rstrip() for a, b, c, d in rows)


def measure(
    judge: Judge,
    w: Tensor,
    y: Tensor,
    held: tuple[Tensor, Tensor],
    train: tuple[Tensor, Tensor],
) -> Quality:
    """Judge samples `w` that were asked to be of classes `y`.

    The distances are between equal numbers of pictures in equal classes: of each class as many as
    the scarcest of the three sets has.

    Args:
        held: real pictures and class ids that neither the judge nor the model was trained on.
        train: real pictures and class ids of the training set.
    """
    sets = ((w, y), held, train)
    shared = torch.stack([torch.bincount(ids, minlength=_top(sets)) for _, ids in sets]).amin(0)
    if not int(shared.sum()):
        raise InputError("measure: samples, held-out and training pictures share no class.")
    features = [judge.features(pictures[_first(ids, shared)]) for pictures, ids in sets]
    return Quality(
        accuracy=judge.accuracy(w, y),
        real_accuracy=judge.accuracy(*held),
        frechet=frechet(features[0], features[1]),
        real_frechet=frechet(features[2], features[1]),
        samples=len(w),
        count=int(shared.sum()),
    )


def _top(sets: tuple[tuple[Tensor, Tensor], ...]) -> int:
    return max(int(ids.max()) for _, ids in sets) + 1


def _first(ids: Tensor, counts: Tensor) -> Tensor:
    """Indices of the first `counts[k]` items of each class k."""
    return torch.cat(
        [(ids == k).nonzero().flatten()[: int(count)] for k, count in enumerate(counts)]
    )
