r"""Power-function averages, and how to make one of others.

An average of the weights at time t with the profile

    p(tau) = (g + 1)·tau^g / t^(g + 1),    0 <= tau <= t,

is wide or narrow in proportion to t, and is updated by mean <- b·mean + (1 - b)·now with
b = (1 - 1/t)^(g + 1) (Karras et al. 2024, EDM2, section 3.1). That gives each step exactly
the integral of p over it. The width is the standard deviation of p over t,

    width² = (g + 1)/((g + 2)²·(g + 3))

Averages with different (t, g) span others: the combination nearest to a profile in the mean square
solves a linear system of the inner products (appendix C.3),

    <p_a, p_b> = (g_a + 1)(g_b + 1)/(g_a + g_b + 1) · min(t_a, t_b)^(g_a + g_b + 1)
                 / (t_a^(g_a + 1)·t_b^(g_b + 1))

Here its factors are held to a sum of one, so that weights that stand still are given back exactly.
"""

import numpy as np
import torch
from torch import Tensor

from ..errors import require

WIDEST = 12**-0.5
"""The width of the plain mean of all steps, g = 0."""


def exponent(width: float) -> float:
    """g of a width: the positive root of a cubic."""
    require(0 < width <= WIDEST, "width", "more than 0, at most 0.2886", width)
    inverse = width**-2
    roots = np.roots([1, 7, 16 - inverse, 12 - inverse])
    return max(float(roots.real.max()), 0.0)


def products(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> Tensor:
    """<p_a, p_b> `[n, m]` of profiles given as (t, g), each `[n]` and `[m]`, float64."""
    (t, g), (s, h) = (a[0][:, None], a[1][:, None]), (b[0][None], b[1][None])
    last = torch.minimum(t, s)
    logs = (g + h + 1) * last.log() - (g + 1) * t.log() - (h + 1) * s.log()
    return (g + 1) * (h + 1) / (g + h + 1) * logs.exp()


def combination(times: Tensor, exponents: Tensor, t: float, g: float) -> Tensor:
    """Factors `[n]` of known averages, whose sum is nearest to the profile (t, g)."""
    known = times.double(), exponents.double()
    wanted = torch.tensor([t], dtype=torch.float64), torch.tensor([g], dtype=torch.float64)
    scale = products(wanted, wanted).squeeze()
    gram, goal = products(known, known) / scale, products(known, wanted) / scale
    ones = torch.ones_like(goal)
    system = torch.cat([torch.cat([gram, ones], 1), torch.cat([ones.T, ones.new_zeros(1, 1)], 1)])
    right = torch.cat([goal, ones.new_ones(1, 1)])
    # Neighbouring profiles are nearly alike: what lies in that little is left out.
    found: Tensor = torch.linalg.lstsq(system, right, rcond=1e-12, driver="gelsd").solution
    return found[:-1, 0]
