r"""Parametrisations are rows: what a network predicts is target = a·x + b·epsilon.

Together with z = signal·x + sigma·epsilon, one 2×2 solve turns any target into x and epsilon:
with det = signal·b - sigma·a,

    x       = (b·z - sigma·target) / det
    epsilon = (signal·target - a·z) / det

and an error in the target is an error in x times det/sigma, which gives every loss weight.

| target | a | b | source |
|---|---|---|---|
| x | 1 | 0 | |
| epsilon | 0 | 1 | Ho et al. 2020 |
| v | -sigma | signal | Salimans & Ho 2022 |
| score | 0 | -1/sigma | Song et al. 2021 |
| velocity | d signal/du | d sigma/du | Lipman et al. 2023 |
| F | the network inside EDM's preconditioning | | Karras et al. 2022, equation 7 |
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Number = Any  # a float, or a float64 tensor [b]


class Point(NamedTuple):
    """One time of a process: its scales, their derivatives (called when needed), the data's std."""

    signal: Number
    sigma: Number
    rates: Callable[[], tuple[Number, Number]]
    sigma_data: float


def _edm(p: Point) -> tuple[Number, Number]:
    ratio, data = p.sigma / p.signal, p.sigma_data
    norm = (ratio**2 + data**2) ** 0.5
    return ratio / (data * norm), -data / norm


ROWS: dict[str, Callable[[Point], tuple[Number, Number]]] = {
    "x": lambda p: (1.0, 0.0),
    "epsilon": lambda p: (0.0, 1.0),
    "v": lambda p: (-p.sigma, p.signal),
    "score": lambda p: (0.0, -1 / p.sigma),
    "velocity": lambda p: p.rates(),
    "F": _edm,
}
"""(a, b) of every target, from a `Point`. The keys are the names of the parametrisations."""


class Solve(NamedTuple):
    """Coefficients of x = xz·z + xh·target and epsilon = ez·z + eh·target."""

    xz: Number
    xh: Number
    ez: Number
    eh: Number


def solve(name: str, p: Point) -> Solve:
    """The 2×2 solve for one row. The determinant is 0 where x can't be recovered from z."""
    a, b = ROWS[name](p)
    det = p.signal * b - p.sigma * a
    return Solve(b / det, -p.sigma / det, -a / det, p.signal / det)


def gain(name: str, p: Point) -> Number:
    """det/sigma: how an error in x shows in the target, up to its sign."""
    a, b = ROWS[name](p)
    return (p.signal * b - p.sigma * a) / p.sigma
