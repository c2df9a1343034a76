"""Transforms of vectors, ids and embeddings."""

import math

import torch
from torch import Tensor, nn

from ..base import Data
from ..errors import require


class Identity(Data):
    """Data are diffused as they are."""

    def encode(self, w: Tensor) -> Tensor:
        return w

    def decode(self, x: Tensor) -> Tensor:
        return x


class OneHot(Data):
    """Ids `[b, ...]` as one-hot vectors `[b, ..., k]`, made batch by batch; decode: arg max."""

    k: int = 2

    def __post_init__(self) -> None:
        require(self.k >= 2, "OneHot.k", "at least 2 classes", self.k)

    def encode(self, w: Tensor) -> Tensor:
        return nn.functional.one_hot(w.long(), self.k).to(torch.get_default_dtype())

    def decode(self, x: Tensor) -> Tensor:
        return x.argmax(-1)


class Embedding(Data):
    r"""Ids as learned vectors of length $\sqrt d$; decode is the nearest.

    Li et al. 2022 (Diffusion-LM); the fixed length keeps the vectors from shrinking or growing to
    please the loss (Dieleman et al. 2022, section 3.3). Train with `loss.Rounding` beside the
    squared error, or all vectors may fall together.

    Args:
        k: ids 0..k-1. d: length of the vectors.
    """

    k: int = 2
    d: int = 256

    def __post_init__(self) -> None:
        require(self.k >= 2, "Embedding.k", "at least 2 ids", self.k)
        self.embedding = nn.Embedding(self.k, self.d)

    @property
    def vectors(self) -> Tensor:
        """The vectors, `[k, d]`, each of length sqrt(d)."""
        return nn.functional.normalize(self.embedding.weight, dim=-1) * math.sqrt(self.d)

    def encode(self, w: Tensor) -> Tensor:
        return nn.functional.embedding(w.long(), self.vectors)

    def decode(self, x: Tensor) -> Tensor:
        return self.logits(x).argmax(-1)

    def logits(self, x: Tensor) -> Tensor:
        """Inner products with every vector: -|x - v|²/2 up to what all ids share."""
        return x @ self.vectors.to(x.dtype).T
