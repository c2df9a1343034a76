r"""The exact law of what a sampler of tokens gives, by pushing its own transition matrix.

    law_s(x) = Σ_z law_t(z) Π_l p(x_l | z)                       one stage
    law_s(x) = Σ_{z, v} law_t(z) Π_l p(v_l | z) Π_l p(x_l | z, v)      two stages, v between them

Like `Enumerated.law`, for samplers other than the ancestral one.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..base import Bridge, Sampler
from ..distribution import Categorical
from ..sampler.discrete import Remask, TauLeap, Trapezoidal
from .enumerated import Enumerated


def pushed(
    bed: Enumerated, noise: Bridge[Categorical], sampler: Sampler, times: Sequence[Any]
) -> Tensor:
    """A table of the shape of `bed.p`, for the exact denoiser; `times` descend to 0."""
    if not isinstance(sampler, (TauLeap, Remask, Trapezoidal)):
        return bed.law(noise, bed.oracle(noise), times)
    predict, sequences = bed.oracle(noise), bed.sequences
    law = bed._start(noise)
    for t, s in pairwise(times):
        hit = law > 0  # a state that never occurs may have no prediction
        z = sequences[hit]
        hat = predict(z, None, t)
        if isinstance(sampler, Trapezoidal):
            law = _twice(bed, noise, sampler, (z, law[hit], hat), (t, s))
        else:
            law = law[hit] @ _moves(sampler.law(noise, z, t, s, hat))
    return law.reshape(bed.p.shape)


def _twice(
    bed: Enumerated,
    noise: Any,
    sampler: Trapezoidal,
    start: tuple[Tensor, Tensor, Any],
    times: tuple[Any, Any],
) -> Tensor:
    (z, law, hat), (t, s) = start, times
    r, every = sampler.middle(t, s), bed.sequences
    log_p = noise.predict(z, t, hat)
    moves = _moves(Categorical(noise.soft_bridge(log_p, z, t, r)))
    if r == s:
        return law @ moves
    later = noise.predict(every, r, bed.oracle(noise)(every, None, r))
    first, second = (moves > 0).nonzero(as_tuple=True)
    known = log_p[first], later[second]
    step: Categorical = sampler.law(noise, (z[first], every[second]), (t, r, s), known)
    return (law[first] * moves[first, second]) @ _moves(step)


def _moves(law: Categorical) -> Tensor:
    """From the tokens' laws `[n, L, K]` to those of whole sequences, `[n, K^L]`."""
    p = law.p.double()
    moves = torch.ones(len(p), 1, dtype=torch.float64)
    for token in range(p.shape[1]):
        moves = (moves.unsqueeze(2) * p[:, token].unsqueeze(1)).flatten(1)
    return moves
