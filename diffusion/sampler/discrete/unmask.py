r"""Unmasking in an order the network chooses, for absorbing noise.

In each step the network gives p(x | z) for every masked token, and some of the tokens are drawn
from it and stay. A token drawn alone is drawn from its true conditional, so one token at a time is
exact for an exact network, in any order that does not look at what was drawn. Tokens drawn
together are taken as independent, and that is the only error.

`Confident` reveals as many as the schedule asks for, the surest first (Chang et al. 2022, section
3.2). `EntropyBound` reveals as many as fit an error: with entropies H in ascending order, the
largest set U for which

    Σ_{l in U} H_l - max_{l in U} H_l <= bound

The left side is at least D(joint law of U || product of its marginals), as the joint entropy is
at least that of each token (Ben-Hamu et al. 2025).
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...base import Noise, Predict, Sampler
from ...distribution import Categorical
from ...errors import choose
from ...rng import Rng, uniform
from ...tree import State
from ..settings import within
from .tokens import ids, masks, state

ORDERS = ("drawn", "peak", "margin", "entropy")


class View(NamedTuple):
    """What an order may depend on, with the tokens in one row of n.

    Attributes:
        log_p: log p(x | z), `[b, n, K]`. found: a draw from it, `[b, n]`. hidden: what is masked,
            `[b, n]`. left: how many masks the schedule leaves, `[b, 1]`, not rounded. share: of
            masks by now, 1 - kappa.
    """

    log_p: Tensor
    found: Tensor
    hidden: Tensor
    left: Tensor
    share: float


class Unmask(Sampler):
    """Reveals masked tokens for good; subclasses say which. Once none is left, z stays."""

    @abstractmethod
    def reveal(self, view: View, rng: Rng) -> Tensor:
        """Which tokens to reveal, `[b, n]`; those that are not masked do not count."""

    def fits(self, noise: Noise[Any]) -> str | None:
        return masks(self, noise)

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        start = (ids(z) == noise.mask).flatten(1).sum(1, keepdim=True)
        for t, s in pairwise(times):
            tokens = ids(z)
            hidden = (tokens == noise.mask).flatten(1)
            if hidden.any():
                log_p = noise.predict(z, t, predict(z, y, t)).flatten(1, -2)
                found, _ = Categorical(log_p).sample(rng)
                share, share_s = (1 - noise.clock.kappa(v) for v in (t, s))
                left = start.double() * share_s
                shown = self.reveal(View(log_p, found, hidden, left, share), rng) & hidden
                new = torch.where(shown, found, tokens.flatten(1)).reshape(tokens.shape)
                z = state(noise, new, z, s, rng)
            yield z


class Confident(Unmask):
    """Reveal the tokens the network is surest of, as many as the schedule asks for.

    Args:
        scatter: of Gumbel noise on the order, in nats at t = T; it falls with the share of masks.
        order: what sure means, "drawn": the probability of the class that was drawn (MaskGIT;
            prefers likely draws, so it is not exact one token at a time); "peak": of the likeliest
            class; "margin": how far that is above the second; "entropy": of all classes.
    """

    scatter: float = 1.0
    order: str = "drawn"

    def __post_init__(self) -> None:
        within("Confident.scatter", self.scatter, 0)
        choose("Confident.order", self.order, ORDERS)

    def reveal(self, view: View, rng: Rng) -> Tensor:
        sure = self._sure(view)
        if self.scatter > 0:
            gumbel = -(-uniform(sure, rng).clamp_min(1e-12).log()).log()
            sure = sure + self.scatter * view.share * gumbel
        sure = sure.masked_fill(~view.hidden, -torch.inf)
        rank = sure.argsort(dim=-1, descending=True, stable=True).argsort(-1)
        return rank < view.hidden.sum(-1, keepdim=True) - view.left.round()

    def _sure(self, view: View) -> Tensor:
        if self.order == "drawn":
            return view.log_p.gather(-1, view.found.unsqueeze(-1)).squeeze(-1)
        if self.order == "entropy":
            return -_entropy(view.log_p)
        top = view.log_p.topk(2, -1).values
        return top[..., 0] if self.order == "peak" else top[..., 0].exp() - top[..., 1].exp()


class EntropyBound(Unmask):
    """Reveal as many tokens as keep the error of drawing them together below `bound` nats a step.

    What is left at the last step is revealed all at once, so give up to as many steps as there are
    tokens: the network is not called any more once all are known. With bound = 0 that is exact.

    Args:
        bound: nats; the more, the fewer network calls.
    """

    bound: float = 0.1

    def __post_init__(self) -> None:
        within("EntropyBound.bound", self.bound, 0)

    def reveal(self, view: View, rng: Rng) -> Tensor:
        entropy = _entropy(view.log_p).masked_fill(~view.hidden, torch.inf)
        ascending, order = entropy.sort(dim=-1, stable=True)
        below = ascending.roll(1, -1)  # the sum without the largest, which comes last
        below[:, 0] = 0
        fits = (below.cumsum(-1) <= self.bound) | (view.left == 0)
        return torch.zeros_like(fits).scatter(-1, order, fits)


def _entropy(log_p: Tensor) -> Tensor:
    entropy: Tensor = torch.special.entr(log_p.exp()).sum(-1)
    return entropy
