r"""Visit the times whose losses are large more often.

p(bin) ∝ $\sqrt{E[L^2 \mid bin]}$ over the last losses seen in each bin of times, with weights
that keep the loss unbiased. Nichol & Dhariwal 2021, equation 18.
"""

import torch
from torch import Tensor

from ..base import Time
from ..errors import require


class Importance(Time):
    """Loss-aware importance sampling over step indices.

    Args:
        bins: bins of equal width over 1..T. memory: losses kept in each bin; until every bin is
            full, times are uniform. floor: share of draws that stay uniform.

    What it has seen is `history`, a tensor that is saved with the model.
    """

    bins: int = 50
    memory: int = 10
    floor: float = 0.05

    def __post_init__(self) -> None:
        require(self.bins >= 1, "Importance.bins", "at least 1", self.bins)
        require(self.memory >= 1, "Importance.memory", "at least 1", self.memory)
        require(0 < self.floor <= 1, "Importance.floor", "a number in (0, 1]", self.floor)
        vars(self)["history"] = torch.full((self.bins, self.memory), torch.nan)

    @property
    def history(self) -> Tensor:
        """The last losses in each bin, `[bins, memory]`; NaN where there are none yet."""
        history: Tensor = self.__dict__["history"]
        return history

    def density(self) -> Tensor:
        """Probability of each bin, `[bins]`."""
        uniform = torch.full((self.bins,), 1 / self.bins)
        if self.history.isnan().any():
            return uniform
        root = (self.history**2).mean(1).sqrt()
        share = root / root.sum().clamp_min(1e-30)
        return self.floor * uniform + (1 - self.floor) * share

    def sample(self, steps: int, size: int) -> Tensor:
        require(steps >= self.bins, "Importance.bins", f"at most T = {steps} bins", self.bins)
        chosen = torch.multinomial(self.density(), size, replacement=True)
        edge = (torch.arange(self.bins + 1) * steps) // self.bins
        width = edge[chosen + 1] - edge[chosen]
        return edge[chosen] + 1 + (torch.rand(size) * width).long().clamp_max(width - 1)

    def weight(self, t: Tensor, steps: int) -> Tensor:
        edge = (torch.arange(self.bins + 1) * steps) // self.bins
        share = edge.diff() / steps
        return (share / self.density()).to(t.device)[self._bin(t, steps)].float()

    def observe(self, t: Tensor, steps: int, loss: Tensor) -> None:
        history = self.history
        for index, value in zip(self._bin(t, steps).tolist(), loss.tolist(), strict=True):
            history[index] = history[index].roll(1)
            history[index, 0] = value

    def _bin(self, t: Tensor, steps: int) -> Tensor:
        edge = (torch.arange(1, self.bins + 1) * steps) // self.bins
        return torch.searchsorted(edge.to(t.device), t.contiguous())
