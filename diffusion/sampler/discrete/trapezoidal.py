r"""The theta-trapezoidal method: second order for discrete states. Ren et al. 2025, algorithm 2.

A step from t to s takes two network calls, at t and at r = t + theta·(s - t):

    z_r from z_t with the rates R_t(z_t), over (t, r)
    z_s from z_r with the rates a·R_r(z_r) - (a - 1)·R_t(z_t), over (r, s)
    a = 1/(2·theta·(1 - theta))

Rates of jumps are linear in the posteriors p(x | z) of the tokens, so what is combined here are
posteriors, and each half step is the bridge towards one:

    p' = a·p(x | z_r) - (a - 1)·p~,    p~(x) ∝ l(x)·q(z_r | x)

where p~ is what was known at t, the law l of a token given the others, applied to where the token
is at r. A token alone then has no error (Ren et al. hold the rates themselves fixed), and what
is left is that tokens influence each other within a step. Negative p' are set to 0. They appear
where the jump of one token makes a class of another less likely by more than (a - 1)/a, 1/2 at
theta = 1/2: on such data the order is 1 in the end.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor

from ...base import Noise, Predict, Sampler
from ...distribution import Categorical
from ...rng import Rng
from ...tree import State
from ..settings import within
from .tokens import ids, likelihood, rank_one, state


class Trapezoidal(Sampler):
    """Two network calls a step, the second one in the middle to correct the first; order 2.

    Args:
        theta: where in the step the second call is, in (0, 1). On integer times it is the nearest
            step of the schedule; a step that has none inside is the bridge's, with one call.

    For `Uniform`, `Absorbing` and `Mixed` noise.
    """

    theta: float = 0.5

    def __post_init__(self) -> None:
        within("Trapezoidal.theta", self.theta, 0, 1, inside=True)

    def fits(self, noise: Noise[Any]) -> str | None:
        return rank_one(self, noise)

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        for t, s in pairwise(times):
            r = self.middle(t, s)
            start, log_p = ids(z), noise.predict(z, t, predict(z, y, t))
            found, _ = Categorical(noise.soft_bridge(log_p, start, t, r)).sample(rng)
            z = state(noise, found, z, r, rng)
            if r != s:
                later = noise.predict(z, r, predict(z, y, r))
                law = self.law(noise, (start, ids(z)), (t, r, s), (log_p, later))
                z = state(noise, law.sample(rng)[0], z, s, rng)
            yield z

    def middle(self, t: Any, s: Any) -> Any:
        """The time r of the second call, or `s` where there is none in between."""
        r = t + self.theta * (s - t)
        if not isinstance(t, int):
            return r
        return min(max(round(r), s + 1), t - 1) if t - s > 1 else s

    def law(
        self,
        noise: Any,
        z: tuple[Tensor, Tensor],
        times: tuple[Any, Any, Any],
        log_p: tuple[Tensor, Tensor],
    ) -> Categorical:
        """Of z_s, from ids z_t and z_r, the times t, r and s, and log p(x | z) at t and at r."""
        t, r, s = times
        part = (t - r) / (t - s)
        a = 1 / (2 * part * (1 - part))
        seen = likelihood(noise, log_p[1], z[1], r) - likelihood(noise, log_p[0], z[0], t)
        before = (log_p[0] + seen).softmax(-1)
        ahead = (a * log_p[1].exp() - (a - 1) * before).clamp_min(0.0)
        ahead = ahead / ahead.sum(-1, keepdim=True)
        return Categorical(noise.soft_bridge(ahead.log(), z[1], r, s))
