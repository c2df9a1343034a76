"""How good samples are, beside how good real items are by the same measure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from ..errors import InputError
from ..rng import generator
from .frechet import frechet
from .judge import Judge

DRAWS = 5


@dataclass(frozen=True)
class Quality:
    """A judge's verdict on samples.

    Attributes:
        accuracy: part of the samples read as the class they were asked for.
        real_accuracy: the same for held-out real pictures: what the judge is worth.
        frechet: Fréchet distance in the judge's features, samples against held-out pictures.
        real_frechet: the same for as many training pictures: what the distance is worth.
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
    the scarcest of the three sets has, drawn at random (data sets are often in some order, such as
    by writer), and averaged over a few draws.

    Args:
        held: real pictures and class ids that neither the judge nor the model was trained on.
        train: real pictures and class ids of the training set.
    """
    sets = ((w, y), held, train)
    top = max(int(ids.max()) for _, ids in sets) + 1
    counts = torch.stack([torch.bincount(ids, minlength=top) for _, ids in sets]).amin(0)
    if not int(counts.sum()):
        raise InputError("measure: samples, held-out and training pictures share no class.")
    features = [(judge.features(pictures), ids) for pictures, ids in sets]
    distances = []
    for i in range(DRAWS):
        drawn = [f[_drawn(ids, counts, generator(i, "measure"))] for f, ids in features]
        distances.append((frechet(drawn[0], drawn[1]), frechet(drawn[2], drawn[1])))
    means = [sum(values) / DRAWS for values in zip(*distances, strict=True)]
    return Quality(
        accuracy=judge.accuracy(w, y),
        real_accuracy=judge.accuracy(*held),
        frechet=means[0],
        real_frechet=means[1],
        samples=len(w),
        count=int(counts.sum()),
    )


def _drawn(ids: Tensor, counts: Tensor, rng: Generator) -> Tensor:
    """Indices of `counts[k]` items of each class k."""
    order = torch.randperm(len(ids), generator=rng)
    return torch.cat([order[ids[order] == k][: int(count)] for k, count in enumerate(counts)])
