r"""Categorical processes that keep a token with probability kappa or redraw it from pi.

    q(x_t | x_0) = kappa·x_0 + (1 - kappa)·pi
    q(x_s | x_t, x) ∝ [k z + (1 - k)(z·pi)] ⊙ [kappa_s x~ + (1 - kappa_s) pi Σx~]

with k = kappa_t/kappa_s and x~ = x / q(z | x_0). For a one-hot x the division is a constant; for
a soft prediction it is what makes the step the exact mixture over x_0 (Bayes' rule), and leaving
it out biases uniform noise. The matrix is rank one plus the identity, so everything is O(K) per
token, in log space, on ids `[b, ...]` or one-hots `[b, ..., K]` alike.
"""

from abc import abstractmethod
from dataclasses import field
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from ..base import Bridge, Schedule
from ..distribution import Categorical
from ..errors import InputError, choose
from ..tree import State
from .clock import Clock

PARAMETERS = ("logits", "p")
"""What a network may predict: logits of x, or probabilities (a net that ends in a softmax)."""


class Redraw(Bridge[Categorical]):
    """Base of the rank-one categorical processes; subclasses say what pi is.

    Args:
        parameter: what the network predicts, "logits" of x or probabilities "p".
    """

    parameter: str = field(default="logits", kw_only=True)

    def __post_init__(self) -> None:
        choose(f"{type(self).__name__}.parameter", self.parameter, PARAMETERS)

    @abstractmethod
    def law(self) -> Tensor:
        """pi, the law tokens are redrawn from, `[K]`, float64."""

    @property
    def classes(self) -> int:
        """K, the number of states of a token."""
        return len(self.law())

    @property
    def clock(self) -> Clock:
        """The bound schedule."""
        if "_clock" not in self.__dict__:
            raise InputError(f"{self!r} is not bound to a schedule yet: noise.bind(schedule).")
        clock: Clock = self.__dict__["_clock"]
        return clock

    def bind(self, schedule: Schedule, soft: bool = False, like: State = None) -> Self:
        # Discrete bridges keep a finite likelihood at t = 0, so there is nothing to soften.
        other = self.vary()
        vars(other)["_clock"] = Clock(schedule)
        vars(other)["_pi"] = {}
        law = self.law()
        vars(other)["_everywhere"] = bool((law > 0).all())
        vars(other)["_flat"] = bool((law == law[0]).all())
        vars(other)["_onehot"] = like is not None and self.is_onehot(like)
        return other

    def before(self, t: Any) -> Any:
        return self.clock.before(t)

    def stationary(self, shape: tuple[int, ...]) -> Categorical:
        # What the schedule leaves of the data is spread evenly, so that the bound stays finite.
        left = self.clock.kappa(self.clock.steps)
        law = (1 - left) * self.law() + left / self.classes
        onehot = self.__dict__.get("_onehot", False)
        tokens = shape[:-1] if onehot else shape
        return Categorical(law.float().log().expand(*tokens, self.classes), onehot)

    def prior(self, x: Tensor, t: Any) -> Categorical:
        onehot = self.is_onehot(x)
        keep, redraw = self._logs(self.clock.kappa(t), x)
        redrawn = redraw + self._log_pi(x)
        if onehot:
            return Categorical(torch.logaddexp(keep + x.log(), redrawn), True)
        ids = x.unsqueeze(-1)
        logits = redrawn.expand(*x.shape, self.classes).contiguous()
        kept = torch.logaddexp(keep.expand_as(ids), logits.gather(-1, ids))
        return Categorical(logits.scatter(-1, ids, kept), False)

    def predict(self, z: Tensor, t: Any, hat: Tensor) -> Tensor:
        """log p(x | z), normalised, `[b, ..., K]`; `hat[0]` are logits, or p if so declared."""
        logits = hat[0] if self.parameter == "logits" else hat[0].log()
        logits = logits.float() if logits.element_size() < 4 else logits
        return self._possible(logits).log_softmax(-1)

    def _possible(self, logits: Tensor) -> Tensor:
        """Rule out what clean data never hold; finite, so that gradients stay finite."""
        return logits

    def bridge(self, x: Tensor, z: Tensor, t: Any, s: Any) -> Categorical:
        onehot = self.is_onehot(z)
        ids = z.argmax(-1) if onehot else z
        if self.is_onehot(x):
            return Categorical(self.soft_bridge(x.log(), ids, t, s), onehot)
        return Categorical(self.hard_bridge(x, ids, t, s), onehot)

    def step(self, z: Tensor, t: Any, s: Any, hat: Tensor) -> Categorical:
        onehot = self.is_onehot(z)
        ids = z.argmax(-1) if onehot else z
        return Categorical(self.soft_bridge(self.predict(z, t, hat), ids, t, s), onehot)

    def soft_bridge(self, log_x: Tensor, z: Tensor, t: Any, s: Any) -> Tensor:
        """Logits `[b, ..., K]` of q(x_s | x_t = z, x) from log x (normalised, soft or one-hot)."""
        ids, at = z.unsqueeze(-1), self._at(log_x, z, t, s)
        seen = log_x.gather(-1, ids)
        # The mass of x~: x with its entry of z shrunk, without summing over K again.
        mass = torch.logaddexp(_log1m_exp(seen), seen + at.shrink)
        drawn = at.redraw_s + mass
        out = torch.logaddexp(log_x + at.keep_s, drawn + self._spread(log_x))
        own = torch.logaddexp(seen + at.shrink + at.keep_s, drawn + self._log_pi(log_x)[ids])
        return self._settle(out.scatter(-1, ids, own + at.gain), ids, at.certain)

    def hard_bridge(self, x: Tensor, z: Tensor, t: Any, s: Any) -> Tensor:
        """The same for known ids x: pi everywhere, but for the entries of x and z."""
        ids, first = z.unsqueeze(-1), x.unsqueeze(-1)
        like = torch.empty((*z.shape, 1), device=z.device)
        at = self._at(like, z, t, s)
        log_pi = self._log_pi(like)
        mass = torch.where(first == ids, at.shrink, 0.0)
        drawn = at.redraw_s + mass
        out = (drawn + log_pi).expand(*z.shape, self.classes).contiguous()
        out.scatter_(-1, first, torch.logaddexp(mass + at.keep_s, drawn + log_pi[first]))
        out.scatter_(-1, ids, out.gather(-1, ids) + at.gain)
        return self._settle(out, ids, at.certain)

    def _at(self, like: Tensor, z: Tensor, t: Any, s: Any) -> "_Logs":
        """What the bridge needs at the entry of z, in logs."""
        kappa, kappa_s = self.clock.kappa(t), self.clock.kappa(s)
        keep, redraw = self._logs(kappa / kappa_s, z, like)
        keep_t, redraw_t = self._logs(kappa, z, like)
        keep_s, redraw_s = self._logs(kappa_s, z, like)
        back = self._log_pi(like)[z].unsqueeze(-1)  # log pi(z)
        # A token that pi can't produce was never redrawn: it stays, whatever x is.
        certain = torch.isneginf(back)
        back = back.masked_fill(certain, 0.0)
        # x~ = x / q(z | x), scaled so that only its entry of z changes: q(z | other) / q(z | z).
        shrink = redraw_t + back - torch.logaddexp(keep_t.expand_as(back), redraw_t + back)
        # The first factor is constant but at z; its ratio there is (k + (1-k) pi_z) / ((1-k) pi_z).
        leave = redraw + back
        gain = torch.logaddexp(keep.expand_as(back), leave) - leave
        return _Logs(shrink, gain, keep_s, redraw_s, certain)

    def _settle(self, out: Tensor, ids: Tensor, certain: Tensor) -> Tensor:
        if vars(self)["_everywhere"]:
            return out
        fixed = torch.full_like(out, -torch.inf).scatter(-1, ids, 0.0)
        return torch.where(certain, fixed, out)

    def _spread(self, like: Tensor) -> Tensor:
        """log pi `[K]`, or `[1]` where all classes are equally likely."""
        log_pi = self._log_pi(like)
        return log_pi[:1] if vars(self)["_flat"] else log_pi

    def touched(self, z: Tensor) -> Tensor:
        """Which tokens of `z` (ids) noise may have redrawn, as 0 or 1."""
        return (self.law().to(z.device) > 0)[z]

    def decoder(self, z: Tensor, t: Any, hat: Tensor) -> Categorical:
        """p(x_0 | x_t)."""
        return self.step(z, t, torch.zeros_like(t), hat)

    def is_onehot(self, x: Tensor) -> bool:
        """Whether a state holds one-hot (floating) vectors rather than ids."""
        if not x.is_floating_point():
            return False
        if x.shape[-1] != self.classes:
            raise InputError(
                f"{self!r}: expected ids, or one-hot vectors with last axis {self.classes}; got "
                f"{x.dtype} of shape {list(x.shape)}. Use data=OneHot(w, k={self.classes}), or ids."
            )
        return True

    def _logs(self, value: Any, z: Tensor, like: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """log(value) and log(1 - value), `[b]` or a number, to broadcast against `[b, ..., K]`.

        Taken in float64: near 1, where short steps are, float32 has no digits of 1 - value left.
        """
        reference = z if z.is_floating_point() else (like if like is not None else z.unsqueeze(-1))
        dtype = torch.float64 if reference.dtype == torch.float64 else torch.float32
        shape = (-1, *(1,) * (reference.dim() - 1)) if isinstance(value, Tensor) else ()
        exact = torch.as_tensor(value, dtype=torch.float64).reshape(shape)
        keep, redraw = exact.log().to(z.device, dtype), (-exact).log1p().to(z.device, dtype)
        return keep, redraw

    def _log_pi(self, like: Tensor) -> Tensor:
        dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
        cache = vars(self).setdefault("_pi", {})
        key = (like.device, dtype)
        if key not in cache:
            cache[key] = self.law().log().to(like.device, dtype)
        found: Tensor = cache[key]
        return found


class _Logs(NamedTuple):
    shrink: Tensor
    gain: Tensor
    keep_s: Tensor
    redraw_s: Tensor
    certain: Tensor


def _log1m_exp(value: Tensor) -> Tensor:
    """log(1 - exp(value)) for value <= 0, with a finite slope at 0."""
    return (-torch.expm1(value.clamp_max(-torch.finfo(value.dtype).tiny))).log()
