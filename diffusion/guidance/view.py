r"""What guidance takes lengths and angles of: the predicted x, or the law of tokens as a vector.

For Gaussian noise that is x. For tokens it is log p(x | z), centred for each token,

    clr(p)_k = log p_k - (1/K) Σ_j log p_j

the centred log-ratio of Aitchison 1982. It does not depend on what logits are normalised to; the
product of laws is the sum of their vectors, and a·clr(p) is the law p^a, so that to move along the
vector is to change the temperature. All tokens of a sample are one vector. It is 0 for classes that
a prediction rules out, and for tokens that the noise has not touched, such as those that are
unmasked, as their prediction is not used; guidance leaves both as they were.
"""

from typing import Any

from torch import Tensor

from ..base import Guidance, Noise
from ..noise.categorical import Redraw
from ..noise.gaussian import Gaussian
from ..noise.split import Split
from .denoised import replace
from .parts import NONE, members, written


def unseen(guidance: Guidance, noise: Noise[Any]) -> str | None:
    """Why a guidance that needs such vectors can't guide `noise`, or None."""
    odd = [part for part in members(noise) if not isinstance(part, (Gaussian, Redraw))]
    if not odd:
        return None
    return (
        f"{type(guidance).__name__} changes the x that a Gaussian process predicts, or log p of "
        f"tokens, and {type(odd[0]).__name__} is known to predict neither. Use noise.Gaussian, a "
        "noise of tokens such as noise.Absorbing, or guidance.ClassifierFree()."
    )


class View:
    """Two predictions of one part as vectors, in the shape of x or of log p, one sample a row."""

    def __init__(self, noise: Any, z: Tensor, t: Any, hat: Any, other: Any) -> None:
        self.noise, self.z, self.t, self.hat = noise, z, t, hat
        self.read, second = (noise.predict(z, t, one) for one in (hat, other))
        self.counts: Tensor | None = None  # which numbers are part of the vectors; None is all
        if not isinstance(noise, Gaussian):
            ids = z.argmax(-1) if z.is_floating_point() else z
            possible = (self.read > NONE / 2) & (second > NONE / 2)
            self.counts = possible & noise.touched(ids).unsqueeze(-1)
        self.vector, self.other = (self._centred(one) for one in (self.read, second))

    def _centred(self, read: Tensor) -> Tensor:
        if self.counts is None:
            return read
        total = self.kept(read).sum(-1, keepdim=True)
        return self.kept(read - total / self.counts.sum(-1, keepdim=True).clamp_min(1))

    def kept(self, vector: Tensor) -> Tensor:
        """A vector without what does not count here."""
        return vector if self.counts is None else vector.masked_fill(~self.counts, 0.0)

    def moved(self, change: Tensor) -> Tensor | Split:
        """The first prediction as the network would say it, its vector moved by `change`."""
        if isinstance(self.noise, Gaussian):
            return replace(self.noise, self.z, self.t, self.hat, self.read + change)
        return written(self.noise, self.read + change, self.hat)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each sample, `[b, 1, ...]`."""
    return (a * b).sum(dim=tuple(range(1, a.dim())), keepdim=True)
