r"""Categorical processes with any transition matrix, for s < t of any distance.

A row-stochastic matrix P defines the rates R = P - I of a continuous-time chain, and
$Q_{s \to t} = \exp((\tau_t - \tau_s) R)$ with $\tau = -\log\bar\alpha / gap$: tokens take a
Poisson number of steps of P. R's spectral gap sets the unit of time, so that the slowest pattern
fades just as $\bar\alpha$ does, and a schedule that ends in noise does so for every P. These
matrices compose, so bridges exist between any two times. For
P = 1·piᵀ this is exactly `Mixed(pi)`; a banded or discretised-Gaussian P gives the ordinal
corruption of D3PM (Austin et al. 2021, appendix A.2).
"""

import math
from typing import Self

import torch
from torch import Tensor

from ..base import Schedule
from ..distribution import Categorical
from ..errors import require
from ..tree import State
from .categorical import Redraw

TERMS = 24
"""Of the Poisson sum: the first one left out is below 1e-23."""
TINY = 1e-100
"""Probabilities below this one count as 0."""


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
        self.matrix = p if worst < 1e-12 else p / p.sum(1, keepdim=True)  # saved ones stay equal
        mixes = "a chain in which every class reaches every other"
        fix = "Add a little of a uniform matrix."
        require(self.gap > 1e-9, "Structured.matrix", mixes, "one that falls apart", fix)

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
        power, powers = torch.eye(len(self.matrix), dtype=torch.float64), []
        for n in range(TERMS):
            powers.append(power)
            power = power @ self.matrix / (n + 1)
        vars(other).update(_powers=torch.stack(powers), _gap=self.gap)
        return other

    @property
    def gap(self) -> float:
        """The rate at which the slowest pattern of R fades: its eigenvalue nearest to 0."""
        others = torch.linalg.eigvals(self.matrix).real.sort().values[:-1]
        return 1 - float(others[-1])

    def law(self) -> Tensor:
        rates = self.matrix.T - torch.eye(len(self.matrix)).double()
        rows = torch.cat([rates, torch.ones(1, len(rates)).double()])
        goal = torch.zeros(len(rates) + 1, dtype=torch.float64)
        goal[-1] = 1
        pi: Tensor = torch.linalg.lstsq(rows, goal, driver="gelsd").solution.clamp_min(0)
        return pi / pi.sum()

    def transition(self, decay: Tensor) -> Tensor:
        """exp(-log(decay)/gap·R), `[b, K, K]`, for decay = alpha-bar_t / alpha-bar_s `[b]`.

        The Poisson sum over powers of P at a time below one, then squared up to the time asked for:
        no subtractions, so that the smallest probabilities keep their digits.
        """
        tau = -decay.double().cpu().clamp_min(1e-300).log() / self.__dict__["_gap"]
        doublings = max(0, math.ceil(math.log2(max(float(tau.max()), 1e-9))))
        part = (tau / 2**doublings).unsqueeze(1)
        weights = part ** torch.arange(TERMS) * (-part).exp()
        matrix = torch.einsum("bn,nij->bij", weights, self.__dict__["_powers"])
        for _ in range(doublings):
            matrix = matrix @ matrix
        return matrix / matrix.sum(-1, keepdim=True)

    def prior(self, x: Tensor, t: object) -> Categorical:
        onehot = self.is_onehot(x)
        ids = x.argmax(-1) if onehot else x
        logits = _rows(self.transition(_vector(self.clock.kappa(t))).to(x.device), ids).log()
        return Categorical(logits.to(x.dtype if onehot else torch.get_default_dtype()), onehot)

    def hard_bridge(self, x: Tensor, z: Tensor, t: object, s: object) -> Tensor:
        log_x = torch.full((*x.shape, self.classes), -torch.inf, device=x.device)
        return self.soft_bridge(log_x.scatter(-1, x.unsqueeze(-1), 0.0), z, t, s)

    def soft_bridge(self, log_x: Tensor, z: Tensor, t: object, s: object) -> Tensor:
        kappa, kappa_s = (_vector(self.clock.kappa(v)) for v in (t, s))
        to_s, hop = (self.transition(v).to(z.device) for v in (kappa_s, kappa / kappa_s))
        to_s, back = to_s.expand(len(z), -1, -1), _rows(hop.transpose(-1, -2), z)
        into_z = torch.einsum("bkj,b...j->b...k", to_s, back)  # q(z | x_0 = k) over k
        # Classes that z can't come from say nothing about x_s, however likely they are predicted.
        unseen = torch.where(into_z < TINY, 1e4, into_z.clamp_min(TINY).log())
        tilde = log_x.double() - unseen
        tilde = (tilde - tilde.amax(-1, keepdim=True)).exp()
        reach = torch.einsum("b...k,bkj->b...j", tilde, to_s)
        return (back * reach).clamp_min(1e-300).log().to(log_x.dtype)


def _symmetric(weights: Tensor) -> Tensor:
    """A doubly stochastic P from symmetric weights: off-diagonal mass scaled, the rest stays."""
    off = weights - weights.diag().diag()
    off = off / off.sum(1).max()
    return off + (1 - off.sum(1)).clamp_min(0).diag()


def _vector(value: object) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64, device="cpu").reshape(-1)


def _rows(matrix: Tensor, ids: Tensor) -> Tensor:
    """`matrix[b, ids[b, ...]]`: the rows that ids name, `[b, ..., K]`."""
    batch = torch.arange(len(ids), device=ids.device).reshape(-1, *(1,) * (ids.dim() - 1))
    return matrix.expand(len(ids), -1, -1)[batch, ids]
