r"""Coefficients of exponential integrators of the probability-flow ODE, and of its SDE.

With a norm phi and the curve (c, s) = (signal, sigma)/phi, the ODE is d(z/phi) = dc·x + ds·epsilon.
Where the curve's direction is fixed by its position, (dc, ds) = (p, q)·dG, it is

    d(z/phi) = y·dG,    y = p·x + q·epsilon

and y, the target, is all that has to be interpolated:

    z_s = (phi_s/phi_t)·z_t + Σ_j y_j · phi_s ∫_t^s l_j(v) dG

with l_j Lagrange's polynomials through the known times, in a variable v. With r = sigma/signal and
d the data's standard deviation:

| target | phi | y | G |
|---|---|---|---|
| x | sigma | x | 1/r |
| epsilon | signal | epsilon | r |
| velocity | signal + sigma | epsilon - x | r/(1 + r) |
| F | sqrt(d²·signal² + sigma²) | cos(a)·epsilon - sin(a)·x/d | a = atan(r/d) |

At order 1 the first three are DDIM (Song et al. 2021). x in the log-SNR is DPM-Solver++ (Lu et al.
2022), epsilon in r is LMS and DEIS (Zhang & Chen 2023), with a corrector UniPC (Zhao et al. 2023).

Noise of strength eta in the steps (Xue et al. 2023, equation 5, constant tau) keeps that form for
the target x, with phi = sigma·r^(eta²) and G = r^-(1 + eta²); a step then adds
phi_s·(B(r_s^(-2·eta²)) - B(r_t^(-2·eta²))), B a Brownian motion.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
RULES = ("exact", "midpoint")


class Point(NamedTuple):
    """A time: its scales, and d."""

    signal: float
    sigma: float
    data: float

    @property
    def ratio(self) -> float:
        """r = sigma/signal."""
        return self.sigma / self.signal if self.signal else math.inf


class Target(NamedTuple):
    """A row of the table: phi, phi·G, (p, q), and dG/dr."""

    phi: Callable[[Point], float]
    grown: Callable[[Point], float]
    row: Callable[[Point], tuple[float, float]]
    slope: Callable[[Array, float], Array]


class Variable(NamedTuple):
    """What the target is interpolated in: v(r), r(v) and dr/dv."""

    of: Callable[[float, float], float]
    ratio: Callable[[Array, float], Array]
    slope: Callable[[Array, float], Array]


def _angle(p: Point) -> float:
    return math.atan2(p.sigma, p.data * p.signal)


def _norm(p: Point) -> float:
    return math.hypot(p.data * p.signal, p.sigma)


TARGETS = {
    "x": Target(
        lambda p: p.sigma, lambda p: p.signal, lambda p: (1.0, 0.0), lambda r, d: -1 / r**2
    ),
    "epsilon": Target(
        lambda p: p.signal, lambda p: p.sigma, lambda p: (0.0, 1.0), lambda r, d: np.ones_like(r)
    ),
    "velocity": Target(
        lambda p: p.signal + p.sigma, lambda p: p.sigma, lambda p: (-1.0, 1.0),
        lambda r, d: 1 / (1 + r) ** 2,
    ),
    "F": Target(
        _norm, lambda p: _norm(p) * _angle(p),
        lambda p: (-math.sin(_angle(p)) / p.data, math.cos(_angle(p))),
        lambda r, d: d / (d**2 + r**2),
    ),
}  # fmt: skip

VARIABLES = {
    "log_snr": Variable(
        lambda r, d: -math.log(r) if 0 < r < math.inf else math.copysign(math.inf, 1 - r),
        lambda v, d: np.exp(-v), lambda v, d: -np.exp(-v),
    ),
    "sigma": Variable(lambda r, d: r, lambda v, d: v, lambda v, d: np.ones_like(v)),
    "flow": Variable(
        lambda r, d: r / (1 + r) if r < math.inf else 1.0,
        lambda v, d: v / (1 - v), lambda v, d: 1 / (1 - v) ** 2,
    ),
    "angle": Variable(
        lambda r, d: math.atan(r / d), lambda v, d: d * np.tan(v), lambda v, d: d / np.cos(v) ** 2
    ),
}  # fmt: skip


def noisy(eta: float) -> Target:
    """The row of x when the steps draw noise of strength `eta`."""
    power = eta**2
    return Target(
        lambda p: p.sigma * p.ratio**power if p.signal else math.inf, lambda p: p.signal,
        lambda p: (1.0, 0.0), lambda r, d: -(1 + power) / r ** (2 + power),
    )  # fmt: skip


def weights(
    target: Target,
    variable: Variable,
    start: Point,
    end: Point,
    nodes: Sequence[Point],
    rule: str = "exact",
) -> tuple[float, list[float]]:
    """The coefficients of z at `start`, and of y at each of `nodes`, of z at `end`.

    Nodes at which the variable is infinite get no weight. `rule` says how a straight line is
    integrated: exactly, or by its value in the middle of the interval. The step from a single node
    to the data is the one to the x that is said there; for F order 1 is not exactly that.
    """
    if end.sigma == 0 and list(nodes) == [start]:
        p, q = target.row(start)
        det = p * start.sigma - q * start.signal
        return -q / det, [start.sigma / det]
    phi, first = target.phi(end), target.phi(start)
    on_z = phi / first
    whole = target.grown(end) - on_z * target.grown(start)
    at = [variable.of(p.ratio, p.data) for p in nodes]
    low, high = (variable.of(p.ratio, p.data) for p in (start, end))
    known = [i for i, v in enumerate(at) if math.isfinite(v)]
    if len(known) < 2 or phi == 0 or not (math.isfinite(low) and math.isfinite(high)):
        alone = nodes.index(start) if start in nodes else 0
        return on_z, [whole if i == alone else 0.0 for i in range(len(nodes))]
    if len(known) == 2 and rule == "midpoint":
        v, measure = np.array([(low + high) / 2]), np.array([whole])
    else:
        v = low + (high - low) * (NODES + 1) / 2
        ratio = variable.ratio(v, start.data)
        measure = WEIGHTS * (high - low) / 2
        measure = measure * target.slope(ratio, start.data) * variable.slope(v, start.data) * phi
    found = [0.0] * len(nodes)
    for i in known:
        shape = np.prod([(v - at[j]) / (at[i] - at[j]) for j in known if j != i], axis=0)
        found[i] = float((measure * shape).sum())
    # The polynomials add up to one, and their integrals to what is known in closed form.
    found[known[0]] += whole - sum(found)
    return on_z, found
