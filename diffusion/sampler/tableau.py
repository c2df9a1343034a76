r"""Runge-Kutta methods as data.

A step from v_0 to v_1 calls the network at places c_i between them (0 is v_0, 1 is v_1). The state
at a place, and at the end, is the integral of the polynomial through the targets of earlier stages
that the tableau names; a tuple of several stages at one place stands for their average. Where the
measure is constant in v these are the classical methods; with an exponential measure they are
exponential ones (Hochbruck & Ostermann 2005, section 2.4).
"""

from typing import NamedTuple

Nodes = tuple[tuple[int, ...], ...]


class Tableau(NamedTuple):
    """`stages`: for each stage after the first its place, and the nodes of its polynomial.
    `final`: the nodes of the whole step. `order`: of the error, in the length of the steps.
    """

    stages: tuple[tuple[float, Nodes], ...]
    final: Nodes
    order: int


FIRST: Nodes = ((0,),)
TABLEAUX = {
    "euler": Tableau((), FIRST, 1),
    "midpoint": Tableau(((1 / 2, FIRST),), ((1,),), 2),
    "heun": Tableau(((1.0, FIRST),), ((0,), (1,)), 2),
    "res_2s": Tableau(((1 / 2, FIRST),), ((0,), (1,)), 2),
    "res_3s": Tableau(((1 / 3, FIRST), (2 / 3, ((0,), (1,)))), ((0,), (2,)), 3),
    "rk4": Tableau(
        ((1 / 2, FIRST), (1 / 2, ((1,),)), (1.0, ((2,),))), ((0,), (1, 2), (3,)), 4
    ),
}  # fmt: skip
"""res_2s and res_3s: Zhang et al. 2023 (RES), tables 2 and 3, the latter with gamma = 0: for a
constant measure the third-order method of Heun."""
