r"""How noise levels fall from the largest to the smallest, in any number of steps.

| law | level v at share s = i/(n - 1) of the way | source |
|---|---|---|
| even | v_0 + s·(v_1 - v_0) | |
| karras | (v_0^(1/rho) + s·(v_1^(1/rho) - v_0^(1/rho)))^rho | Karras et al. 2022, equation 5 |
| exponential | v_0^(1 - s)·v_1^s | |
| beta | v_1 + (v_0 - v_1)·F⁻¹(1 - s), F the law Beta(0.6, 0.6) | Lee et al. 2024 |

F(x) = I_x(a, a) is summed as x^a/B(a, a)·Σ_k (1 - a)_k/k! · x^k/(a + k), which halves its terms at
x <= 1/2; the other half follows from F(1 - x) = 1 - F(x).
"""

import math
from collections.abc import Callable

import numpy as np

from ...errors import choose

SHAPE, RHO = 0.6, 7.0
TERMS, HALVINGS = 60, 60


def levels(law: str, count: int, high: float, low: float, rho: float = RHO) -> list[float]:
    """`count` levels from `high` to `low`; a single one is `high`."""
    choose("law", law, LAWS)
    return [LAWS[law](s, high, low, rho) for s in np.linspace(0.0, 1.0, count).tolist()]


def _even(s: float, high: float, low: float, _: float) -> float:
    return high + s * (low - high)


def _karras(s: float, high: float, low: float, rho: float) -> float:
    first, last = high ** (1 / rho), low ** (1 / rho)
    return float((first + s * (last - first)) ** rho)


def _exponential(s: float, high: float, low: float, _: float) -> float:
    return math.exp(math.log(high) + s * math.log(low / high))


def _beta(s: float, high: float, low: float, _: float) -> float:
    return low + quantile(1 - s) * (high - low)


def quantile(p: float) -> float:
    """x with F(x) = p."""
    if p > 0.5:
        return 1 - quantile(1 - p)
    low, high = 0.0, 0.5
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if cumulative(middle) < p else (low, middle)
    return high if p > 0 else 0.0


def cumulative(x: float) -> float:
    """F(x), for x in [0, 1/2]."""
    total, factor = 0.0, 1.0
    for k in range(TERMS):
        total += factor / (SHAPE + k)
        factor *= x * (k + 1 - SHAPE) / (k + 1)
    whole = math.exp(2 * math.lgamma(SHAPE) - math.lgamma(2 * SHAPE))
    return float(x**SHAPE) * total / whole


LAWS: dict[str, Callable[[float, float, float, float], float]] = {
    "even": _even, "karras": _karras, "exponential": _exponential, "beta": _beta,
}  # fmt: skip
