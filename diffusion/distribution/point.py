"""Point masses: a state that does not move."""

from typing import Self

import torch
from torch import Tensor

from ..base import Distribution
from ..rng import Rng


class Point(Distribution):
    """All mass at `value`."""

    value: Tensor

    def sample(self, rng: Rng = None) -> tuple[Tensor, None]:
        return self.value, None

    def nll(self, x: Tensor) -> Tensor:
        """0 at the value, infinite elsewhere."""
        dtype = x.dtype if x.is_floating_point() else torch.get_default_dtype()
        return torch.zeros_like(x, dtype=dtype).masked_fill(x != self.value, torch.inf)

    def dkl(self, other: Self) -> Tensor:
        """0 where the values agree, infinite elsewhere."""
        return other.nll(self.value)
