r"""The variational bound on -log p(w), term by term.

    -log p(w) <= D(q(x_T | x) || p(x_T)) + sum_{t > 1} E D(q(x_s | x_t, x) || p(x_s | x_t))
                 - E log p(w | x_1)

The last term is the decoder: for quantised data the mass of a bin (Ho et al. 2020, equation 13),
for embedded tokens p(w | predicted x), for class ids their probability, else a density.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from .. import tree
from ..distribution import Normal
from ..distribution.draw import draw
from ..noise.joint import Joint
from ..rng import Rng
from ..tree import State
from .heard import Heard


def reconstruction(
    noise: Any, data: Any, w: State, x: State, z: State, t: Any, hat: State
) -> Tensor:
    """-log p(w | x_1) in nats, `[b]`, from the state `z` one step from the data."""
    if isinstance(noise, Joint):
        own = getattr(data, "parts", {})
        each = {
            key: reconstruction(part, own.get(key), w[key], x[key], z[key], t, hat[key])
            for key, part in noise.parts.items()
        }
        return total(each)
    if not hasattr(noise, "decoder"):
        return tree.total(noise.approximate(z, t, hat).nll(x))
    logits = data.logits(noise.predict(z, t, hat)) if data is not None else None
    if logits is not None:
        nats = torch.nn.functional.cross_entropy(
            logits.flatten(0, -2), w.flatten(), reduction="none"
        )
        return tree.total(nats.reshape(w.shape))
    decoder = noise.decoder(z, t, hat)
    if isinstance(decoder, Normal) and data is not None and data.bins is not None:
        return tree.total(decoder.binned(x, data.bins))
    return total(decoder.nll(x))


def bound(
    noise: Any,
    predict: Any,
    data: Any,
    w: State,
    x: State,
    y: State,
    times: Sequence[Any],
    rng: Rng,
) -> Tensor:
    """The bound in nats for each item, `[b]`, with one draw of x_t for each of the `times`.

    Args:
        noise: bound, not soft. predict: the network. times: descending, from T to 0.

    Errors: a bound that is NaN.
    """
    heard = Heard(predict)
    shape = tree.map(lambda leaf: tuple(leaf.shape), x)
    device, dtype = tree.leaves(x)[0].device, floating(x)
    top = noise.prior(x, full(times[0], x))
    nats = total(top.dkl(noise.stationary(shape).to(device, dtype)))
    for t, s in pairwise(times):
        at, to = full(t, x), full(s, x)
        z = draw(noise.prior(x, at), rng)[0]
        hat = heard(z, y, t)
        if s == 0:
            nats = nats + reconstruction(noise, data, w, x, z, at, hat)
            break
        nats = nats + total(noise.posterior(x, z, at, to).dkl(noise.approximate(z, at, hat, to)))
    return heard.require("bound", nats)


def total(value: State) -> Tensor:
    """The sum over everything but the batch, all modalities together: `[b]`."""
    parts = [tree.total(leaf) for leaf in tree.leaves(value)]
    return torch.stack(parts).sum(0)


def floating(x: State) -> torch.dtype:
    """The precision that likelihoods of `x` are computed in."""
    for leaf in tree.leaves(x):
        if leaf.is_floating_point():
            dtype: torch.dtype = leaf.dtype
            return dtype
    return torch.get_default_dtype()


def full(t: Any, x: State) -> Tensor:
    """A host time as `[b]`."""
    leaf = tree.leaves(x)[0]
    dtype = torch.long if isinstance(t, int) else torch.float64
    return torch.full((len(leaf),), t, device=leaf.device, dtype=dtype)
