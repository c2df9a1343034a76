r"""A table of all sequences: discrete diffusion without Monte Carlo.

p(x_0) is a table over K^L sequences of L tokens with K states each, small enough to write down. The
forward kernel is a product over tokens, M_t[i, j] = q(z = j | x = i), so every law is a finite sum:

    q(x_t)      = Σ p(x_0) Π_l M_t[x_0l, z_l]
    E[x_0l | z] = Σ x_0l·p(x_0) Π M_t / q(z)
    sampler     : law_s(x) = Σ_z law_t(z) Π_l p(x_l | z), step by step
    NELBO       = E D(q(x_T|x_0) || p(x_T)) + Σ_t E D(q(x_s|x_t,x_0) || p(x_s|x_t)) >= entropy

In a step the tokens move independently, so even the exact denoiser has an error for L > 1 that
vanishes as the steps grow; for L = 1 it has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..base import Bridge, Predict
from ..distribution import Categorical
from ..errors import require
from ..rng import Rng
from ..tree import State

LIMIT = 4096
"""The largest number of sequences: the sampler's transition matrix has its square of entries."""


@dataclass(frozen=True, eq=False)
class Enumerated:
    """A law over short token sequences.

    Args:
        p: the table `[K, ..., K]`, one axis for each of the L tokens, made to sum to 1.

    `noise` is always a bound categorical bridge over K classes (for absorbing noise one of them is
    the mask, with p = 0), t and s are host times, and tables are float64 of the shape of `p`.
    """

    p: Tensor
    sequences: Tensor = field(init=False, repr=False)
    """All sequences, `[K^L, L]`, in the order of `p.flatten()`."""

    def __post_init__(self) -> None:
        p = self.p.double()
        square = p.dim() >= 1 and len(set(p.shape)) == 1 and p.numel() <= LIMIT
        require(square, "Enumerated.p", f"equal axes, at most {LIMIT} entries", list(p.shape))
        require(
            bool((p >= 0).all()) and float(p.sum()) > 0,
            "Enumerated.p",
            "probabilities >= 0 that do not all vanish",
            f"a minimum of {float(p.min()):.3g}",
        )
        object.__setattr__(self, "p", p / p.sum())
        every = torch.cartesian_prod(*(torch.arange(p.shape[0]) for _ in p.shape))
        object.__setattr__(self, "sequences", every.reshape(p.numel(), p.dim()))

    @property
    def classes(self) -> int:
        """K."""
        return self.p.shape[0]

    @property
    def entropy(self) -> float:
        """Of the whole sequence, in nats."""
        return float(torch.special.entr(self.p).sum())

    def sample(self, size: int, rng: Rng = None) -> Tensor:
        """Ids `[size, L]`."""
        logits = self.p.flatten().log().expand(size, -1)
        return self.sequences[Categorical(logits).sample(rng)[0]]

    def variation(self, law: Tensor) -> float:
        """Total variation distance between `law` and the data."""
        return 0.5 * float((law - self.p).abs().sum())

    def noisy(self, noise: Bridge[Categorical], t: Any) -> Tensor:
        """q(x_t), a table."""
        law, kernel = self.p, self._kernel(noise, t)[0]
        for _ in range(law.dim()):
            law = torch.einsum("i...,ij->...j", law, kernel)  # each new axis goes last
        return law

    def posterior(self, noise: Bridge[Categorical], z: Tensor, t: Any) -> Tensor:
        """p(x_0l | z) for every token, `[b, L, K]`, float64; `z` are ids `[b, L]`.

        t may be `[b]`. A state that the process can't reach (a sampler can) tells nothing: then
        these are the marginals of p.
        """
        joint = self.p.flatten() * self._likelihood(noise, z, t)
        joint = torch.where(joint.sum(1, keepdim=True) > 0, joint, self.p.flatten())
        total = joint.sum(1, keepdim=True)
        onehot = torch.nn.functional.one_hot(self.sequences, self.classes).double()
        return torch.einsum("bs,slk->blk", joint / total, onehot)

    def oracle(self, noise: Bridge[Categorical]) -> Predict:
        """`predict(z, y, t) -> hat [1, b, L, K]`: exact marginals, as `noise.parameter` asks."""
        logits = getattr(noise, "parameter", "logits") == "logits"

        def predict(z: State, y: State, t: Any) -> Tensor:
            p = self.posterior(noise, z.argmax(-1) if z.is_floating_point() else z, t)
            return (p.log() if logits else p).unsqueeze(0)

        return predict

    def law(self, noise: Bridge[Categorical], predict: Predict, times: Sequence[Any]) -> Tensor:
        """The exact law of what the ancestral sampler gives, a table; `times` descend to 0."""
        law, length = self._start(noise), self.p.dim()
        for t, s in pairwise(times):
            hit = law > 0  # a state that never occurs may have no prediction
            z = self.sequences[hit]
            step = noise.step(z, t, s, predict(z, None, t)).p.double()
            moves = torch.ones(len(z), 1, dtype=torch.float64)
            for token in range(length):
                moves = (moves.unsqueeze(2) * step[:, token].unsqueeze(1)).flatten(1)
            law = law[hit] @ moves
        return law.reshape(self.p.shape)

    def nelbo(self, noise: Bridge[Categorical], predict: Predict, times: Sequence[Any]) -> float:
        """The negative evidence lower bound in nats, its expectations taken exactly."""
        x = self.sequences[self.p.flatten() > 0]
        weight = self.p.flatten()[self.p.flatten() > 0]
        onehot = torch.nn.functional.one_hot(x, self.classes).double()
        top = noise.prior(onehot, times[0]).p.double()
        value = float((weight * _dkl(top, self._stationary(noise)).sum(1)).sum())
        for t, s in pairwise(times):
            reach = self._likelihood(noise, self.sequences, t)[:, self.p.flatten() > 0] * weight
            to, source = (reach > 0).nonzero(as_tuple=True)
            hit = reach.sum(1) > 0
            model = torch.zeros(len(hit), *onehot.shape[1:], dtype=torch.float64)
            z = self.sequences[hit]
            model[hit] = noise.step(z, t, s, predict(z, None, t)).p.double()
            states = torch.nn.functional.one_hot(self.sequences[to], self.classes).double()
            true = noise.bridge(onehot[source], states, t, s).p.double()
            value += float((reach[to, source] * _dkl(true, model[to]).sum(1)).sum())
        return value

    def _stationary(self, noise: Bridge[Categorical]) -> Tensor:
        """What the sampler starts each token from, `[K]`."""
        p = noise.stationary((1, self.classes)).p.double()
        return (p / p.sum(-1, keepdim=True)).reshape(-1, self.classes)[0]

    def _start(self, noise: Bridge[Categorical]) -> Tensor:
        law, pi = torch.ones(1, dtype=torch.float64), self._stationary(noise)
        for _ in range(self.p.dim()):
            law = (law.unsqueeze(1) * pi).flatten()
        return law

    def _kernel(self, noise: Bridge[Categorical], t: Any) -> Tensor:
        """M_t[i, j] = q(z = j | x = i), `[1, K, K]`, or `[b, K, K]` for times `[b]`."""
        size = len(t) if isinstance(t, Tensor) else 1
        clean = torch.eye(self.classes, dtype=torch.float64).expand(size, -1, -1)
        return noise.prior(clean, t).p.double()

    def _likelihood(self, noise: Bridge[Categorical], z: Tensor, t: Any) -> Tensor:
        """q(z | x_0) for every sequence x_0, `[b, K^L]`."""
        kernel = self._kernel(noise, t).expand(len(z), -1, -1)
        batch, value = torch.arange(len(z)).unsqueeze(1), torch.ones(1, dtype=torch.float64)
        for token in range(self.p.dim()):
            value = value * kernel[batch, self.sequences[:, token], z[:, token].unsqueeze(1)]
        return value


def _dkl(one: Tensor, two: Tensor) -> Tensor:
    """Σ p·log(p/p') over the last axis; 0·log 0 is 0."""
    gap = one.clamp_min(1e-300).log() - two.log().masked_fill(one == 0, 0.0)
    return (one * gap.masked_fill(one == 0, 0.0)).sum(-1)
