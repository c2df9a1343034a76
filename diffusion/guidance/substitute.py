r"""What a classifier of noisy states says of every class that a masked token may turn out to be.

A mask says nothing, so a state whose mask at l is replaced by k is one that also knows x_l = k, and
by Bayes' rule

    p(x_l = k | z, y) ∝ p(x_l = k | z)·p(y | z with k at l)/p(y | z)

exactly, for a classifier that is exact (Nisonoff et al. 2024, "Unlocking guidance for discrete
state-space diffusion and flow models"). For states of ids the classifier is asked about all K
classes of each masked token. For one-hot states, where it has a slope, the ratio's logarithm is
taken to first order, from one call (the same paper's TAG): for vocabularies and texts that are too
large to be gone through.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..noise.redraw import Absorbing
from .slope import slope


def likelihoods(says: Callable[[Tensor], Tensor], noise: Absorbing, z: Tensor) -> Tensor:
    """log p(y | z with k at l) - log p(y | z), `[b, ..., K]`; 0 where nothing is masked.

    Args:
        says: log p(y | z), `[n·b]`, for n copies of the batch with other tokens. z: ids `[b, ...]`,
            or one-hot vectors `[b, ..., K]`.
    """
    if z.is_floating_point():
        with slope(z) as taken:
            along: Tensor = taken.result(taken.of(says(taken.point)))
        hidden = z[..., noise.mask] > 0.5
        return (along - along[..., noise.mask, None]).masked_fill(~hidden.unsqueeze(-1), 0.0)
    with torch.no_grad():
        return _each(says, noise, z)


def _each(says: Callable[[Tensor], Tensor], noise: Absorbing, z: Tensor) -> Tensor:
    tokens, k = z.flatten(1), noise.classes
    size, length = tokens.shape
    hidden, before = tokens == noise.mask, says(z)
    found = torch.zeros(size, length, k, dtype=before.dtype, device=z.device)
    classes = torch.arange(k, device=z.device).repeat_interleave(size)
    for place in hidden.any(0).nonzero().flatten().tolist():
        filled = tokens.repeat(k, 1)
        filled[:, place] = classes
        logs = says(filled.reshape(-1, *z.shape[1:])).reshape(k, size).T
        found[:, place] = (logs - before.unsqueeze(1)).nan_to_num(0.0, neginf=-torch.inf)
    return found.masked_fill(~hidden.unsqueeze(-1), 0.0).reshape(*z.shape, k)
