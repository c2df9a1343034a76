"""Less memory for large batches."""

import torch
from torch import Tensor

from ...net.sizes import positive
from .base import Autoencoder


class Sliced(Autoencoder):
    """An autoencoder that sees `size` pictures or videos of a batch at a time.

    The result is the same, but for rounding: no layer looks across the batch.
    """

    def __init__(self, autoencoder: Autoencoder, size: int = 1) -> None:
        positive("Sliced", size=size)
        self.autoencoder, self.size = autoencoder, size

    @property
    def factor(self) -> int:
        return self.autoencoder.factor

    @property
    def variational(self) -> bool:
        return self.autoencoder.variational

    def code(self, x: Tensor) -> Tensor:
        return torch.cat([self.autoencoder.code(one) for one in torch.split(x, self.size)])

    def decode(self, z: Tensor) -> Tensor:
        return torch.cat([self.autoencoder.decode(one) for one in torch.split(z, self.size)])
