r"""Categorical processes with any transition matrix, for s < t of any distance.

A row-stochastic matrix P defines the rates R = P - I of a continuous-time chain, and
$Q_{s \to t} = \exp((\tau_t - \tau_s) R)$ with $\tau = -\log\bar\alpha$: tokens take a Poisson
number of steps of P. These matrices compose, so bridges exist between any two times. For
P = 1·piᵀ this is exactly `Mixed(pi)`; a banded or discretised-Gaussian P gives the ordinal
corruption of D3PM (Austin et al. 2021, appendix A.2).
"""

from typing import Self

import torch
from torch import Tensor

from ..base import Schedule
from ..distribution import Categorical
from ..errors import require
from ..tree import State
from .categorical import Redraw


class Structured(Redraw):
    """Noise that follows the transition matrix `matrix` `[K, K]`, rows summing to one.

    The law at t = T is the matrix's stationary law, so P must mix: every class reaches every other.
    Cost: O(K²) per token, against O(K) of the rank-one processes.
    """

    matrix: Tensor

    def __post_init__(self) -> None:
        super().__post_init__()
        p = torch.as_tensor(self.matrix, dtype=torch.float64)
        square = p.dim() == 2 and p.shape[0] == p.shape[1] and len(p) >= 2
        require(square, "Structured.matrix", "a square matrix [K, K]", list(p.shape))
        require(
            bool((p >= 0).all()), "Structured.matrix", "entries >= 0", f"a minimum of {p.min()}"
        )
        worst = float((p.sum(1) - 1).abs().max())
        require(worst < 1e-4, "Structured.matrix", "rows that sum to 1", f"an error of {worst:.2g}")
        self.matrix = p / p.sum(1, keepdim=True)

    @classmethod
    def gaussian(cls, k: int, width: float = 1.0) -> Self:
        """Jumps to class j with weight exp(-(i - j)²/(2·width²)): for ordered classes."""
        i = torch.arange(k, dtype=torch.float64)
        return cls(_symmetric(torch.exp(-((i[:, None] - i) ** 2) / (2 * width**2))))

    @classmethod
    def banded(cls, k: int, band: int = 1) -> Self:
        """Jumps to the classes at most `band` away, all equally likely."""
        i = torch.arange(k)
        return cls(_symmetric(((i[:, None] - i).abs() <= band).double()))

    def bind(self, schedule: Schedule, soft: bool = False, like: State = None) -> Self:
        other = super().bind(schedule, soft, like)
        values, vectors = torch.linalg.eig(self.matrix - torch.eye(len(self.matrix)).double())
        other.__dict__["_eigen"] = (values, vectors, torch.linalg.inv(vectors))
        return other

    def law(self) -> Tensor:
        rates = self.matrix.T - torch.eye(len(self.matrix)).double()
        rows = torch.cat([rates, torch.ones(1, len(rates)).double()])
        goal = torch.zeros(len(rates) + 1, dtype=torch.float64)
        goal[-1] = 1
        pi: Tensor = torch.linalg.lstsq(rows, goal, driver="gelsd").solution.clamp_min(0)
        return pi / pi.sum()

    def transition(self, decay: Tensor) -> Tensor:
        """exp(-log(decay)·R), `[..., K, K]`, for decay = alpha-bar_t / alpha-bar_s `[...]`."""
        values, vectors, inverse = self.__dict__["_eigen"]
        power = -decay.double().clamp_min(1e-300).log()[..., None] * values
        matrix: Tensor = ((vectors * power.exp()[..., None, :]) @ inverse).real.clamp_min(0)
        return matrix / matrix.sum(-1, keepdim=True)

    def prior(self, x: Tensor, t: object) -> Categorical:
        onehot = self.is_onehot(x)
        ids = x.argmax(-1) if onehot else x
        logits = _rows(self.transition(_vector(self.clock.kappa(t))).to(x.device), ids).log()
        return Categorical(logits.to(x.dtype if onehot else torch.get_default_dtype()), onehot)

    def soft_bridge(self, log_x: Tensor, z: Tensor, t: object, s: object) -> Tensor:
        kappa, kappa_s = (_vector(self.clock.kappa(v)) for v in (t, s))
        to_t, to_s, hop = (
            self.transition(v).to(z.device) for v in (kappa, kappa_s, kappa / kappa_s)
        )
        into_z = _rows(to_t.transpose(-1, -2), z)  # q(z | x_0 = k) over k
        tilde = log_x.double() - into_z.clamp_min(1e-300).log()
        tilde = (tilde - tilde.amax(-1, keepdim=True)).exp()
        reach = torch.einsum("b...k,bkj->b...j", tilde, to_s.expand(len(z), -1, -1))
        return ((_rows(hop.transpose(-1, -2), z) * reach).clamp_min(1e-300)).log().to(log_x.dtype)


def _symmetric(weights: Tensor) -> Tensor:
    """A doubly stochastic P from symmetric weights: off-diagonal mass scaled, the rest stays."""
    off = weights - weights.diag().diag()
    off = off / off.sum(1).max()
    return off + (1 - off.sum(1)).diag()


def _vector(value: object) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64, device="cpu").reshape(-1)


def _rows(matrix: Tensor, ids: Tensor) -> Tensor:
    """`matrix[b, ids[b, ...]]`: the rows that ids name, `[b, ..., K]`."""
    batch = torch.arange(len(ids), device=ids.device).reshape(-1, *(1,) * (ids.dim() - 1))
    return matrix.expand(len(ids), -1, -1)[batch, ids]
