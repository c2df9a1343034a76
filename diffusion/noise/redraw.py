"""The rank-one categorical processes by their law pi."""

import torch
from torch import Tensor

from ..errors import require
from ..rng import Rng
from .categorical import Redraw


class Uniform(Redraw):
    """Tokens are redrawn uniformly among `k` classes. Hoogeboom et al. 2021; Austin et al. 2021."""

    k: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.k >= 2, "Uniform.k", "at least 2 classes", self.k)

    def law(self) -> Tensor:
        return torch.full((self.k,), 1 / self.k, dtype=torch.float64)


class Absorbing(Redraw):
    """Tokens turn into a mask and stay masked. Austin et al. 2021; Sahoo et al. 2024 (MDLM).

    Args:
        k: classes, the mask included. m: the id of the mask; -1 is the last class.
    """

    k: int
    m: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.k >= 2, "Absorbing.k", "at least 2 classes (one is the mask)", self.k)
        require(
            -self.k <= self.m < self.k, "Absorbing.m", f"an id in [-{self.k}, {self.k})", self.m
        )

    @property
    def mask(self) -> int:
        """The id of the mask, 0..k-1."""
        return self.m % self.k

    def law(self) -> Tensor:
        pi = torch.zeros(self.k, dtype=torch.float64)
        pi[self.mask] = 1.0
        return pi

    def known(self, x: Tensor, t: object, rng: Rng = None) -> Tensor:
        return x  # an unmasked token is known for good

    def _possible(self, logits: Tensor) -> Tensor:
        mask = torch.zeros(self.k, dtype=torch.bool, device=logits.device)
        mask[self.mask] = True
        return logits.masked_fill(mask, -1e30)


class Mixed(Redraw):
    """Tokens are redrawn from any law `pi`, e.g. token frequencies with some mass on a mask."""

    pi: Tensor

    def __post_init__(self) -> None:
        super().__post_init__()
        pi = torch.as_tensor(self.pi, dtype=torch.float64)
        require(pi.dim() == 1 and len(pi) >= 2, "Mixed.pi", "a vector of 2 or more", list(pi.shape))
        require(bool((pi >= 0).all()), "Mixed.pi", "probabilities >= 0", f"a minimum of {pi.min()}")
        require(abs(float(pi.sum()) - 1) < 1e-4, "Mixed.pi", "a sum of 1", float(pi.sum()))
        self.pi = pi / pi.sum()

    def law(self) -> Tensor:
        return self.pi
