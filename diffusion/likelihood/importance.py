r"""Importance weights of whole trajectories, which make the variational bound as tight as wanted.

    -log p(x_0) <= -E log (1/K) sum_k w_k,      w = p(x_{0:T}) / q(x_{1:T} | x_0)
    log w = log p(x_T)/q(x_T | x_0) + sum_{t > 1} log p(x_s | x_t)/q(x_s | x_t, x_0)
            + log p(w | x_1)

with trajectories drawn from q: x_T given x_0, then bridge by bridge towards the data (Burda et al.
2016, equations 8 and 9). K = 1 is the variational bound, more draws come nearer to -log p(x_0) from
above (theorem 1 there), and E w = p(x_0) exactly. The estimate's error is that of a logarithm of a
mean: std(w) / (sqrt(K) mean(w)), by the delta method.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor

from .. import tree
from ..distribution.draw import draw
from ..rng import Rng
from ..tree import State
from .bound import floating, full, reconstruction, total
from .heard import Heard


def importance(
    noise: Any,
    predict: Any,
    data: Any,
    w: State,
    x: State,
    y: State,
    times: Sequence[Any],
    rng: Rng,
) -> Tensor:
    """-log w of one trajectory of each item, `[b]`, in nats; arguments, errors as of `bound`."""
    heard = Heard(predict)
    shape = tree.map(lambda leaf: tuple(leaf.shape), x)
    start = noise.stationary(shape).to(tree.leaves(x)[0].device, floating(x))
    q = noise.prior(x, full(times[0], x))
    z = draw(q, rng)[0]
    nats = total(start.nll(z)) - total(q.nll(z))
    for t, s in pairwise(times):
        at, to = full(t, x), full(s, x)
        hat = heard(z, y, t)
        if s == 0:
            nats = nats + reconstruction(noise, data, w, x, z, at, hat)
            break
        q, p = noise.posterior(x, z, at, to), noise.approximate(z, at, hat, to)
        z = draw(q, rng)[0]
        nats = nats + total(p.nll(z)) - total(q.nll(z))
    return heard.require("importance", nats)


def averaged(nats: Tensor) -> tuple[Tensor, Tensor]:
    """-log mean w and its standard error, `[b]`, from the -log w of all draws `[k, b]`."""
    count = len(nats)
    value = math.log(count) - (-nats).logsumexp(0)
    share = (value - nats).exp()  # w over its mean
    # No trajectory that could be: then nothing is known of the error.
    error = (share.std(0) / math.sqrt(count)).masked_fill(value == math.inf, math.inf)
    return value, error
