r"""Predictions whose x and epsilon come from two outputs of a network.

A step of a Gaussian process takes both from one output. Manifold-constrained guidance (CFG++, Chung
et al. 2024, algorithm 1) takes x from the guided output and epsilon from the unconditional one:

    mean of x_s = signal_s·x + sqrt(sigma_s² - v)·epsilon
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .. import tree


@dataclass(frozen=True, slots=True)
class Split:
    """What `predict` returns in place of `hat` where x and epsilon are read apart.

    Args:
        x: the output `[p, b, ...]` that x, and a learned variance, is read from.
        epsilon: the output that epsilon is read from.
    """

    x: Tensor
    epsilon: Tensor


def each(function: Callable[..., Tensor], *hats: Any) -> Any:
    """`function` of corresponding outputs: of both of a `Split`'s, of every entry of a dict's."""
    if any(isinstance(hat, Split) for hat in hats):
        return Split(function(*map(for_x, hats)), function(*map(for_epsilon, hats)))
    return tree.map(function, *hats)


def for_x(hat: Tensor | Split) -> Tensor:
    """The output that x is read from."""
    return hat.x if isinstance(hat, Split) else hat


def for_epsilon(hat: Tensor | Split) -> Tensor:
    """The output that epsilon is read from."""
    return hat.epsilon if isinstance(hat, Split) else hat
