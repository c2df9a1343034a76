"""Models whose network is exact, and the densities that follow for them."""

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

import diffusion
from diffusion import data, noise, schedule, time
from diffusion.base import Net, Schedule
from diffusion.exact import Enumerated, Mixture

LINE = Mixture(
    torch.tensor([0.3, 0.5, 0.2]),
    torch.tensor([[-1.0], [0.4], [1.2]], dtype=torch.float64),
    torch.tensor([0.15, 0.3, 0.2], dtype=torch.float64),
)
PLANE = Mixture(
    torch.tensor([0.3, 0.7]),
    torch.tensor([[-1.0, 0.5], [0.4, -0.3]], dtype=torch.float64),
    covariances=torch.tensor([[[0.3, 0.1], [0.1, 0.2]], [[0.2, -0.05], [-0.05, 0.1]]]).double(),
)


class Oracle(Net):
    """The exact prediction as a network in float64, from the inputs that a model gives it."""

    def __init__(self, law: Mixture | Enumerated, process: Any) -> None:
        self.predict, self.process = law.oracle(process), process
        self.unused = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        if x.is_floating_point():
            x = x / self.process.inputs(torch.ones_like(x), t)
        return self.predict(x, None, t)


def model(
    law: Mixture, own: noise.Gaussian, times: Schedule, discrete: bool = False, **modules: Any
) -> diffusion.Model:
    """The exact model of a mixture, with 16 items drawn from it."""
    w = law.sample(16, torch.Generator().manual_seed(0))[0]
    return diffusion.Model(
        modules.pop("data", None) or data.Identity(w, batch=5), times, own,
        Oracle(law, own.bind(times)), time=time.Discrete() if discrete else time.Continuous(),
        **modules,
    )  # fmt: skip


def tokens(law: Enumerated, own: Any) -> diffusion.Model:
    """The exact model of a table, with every possible sequence as its items."""
    times = schedule.Flow(1000)
    w = law.sequences[law.p.flatten() > 0]
    net = Oracle(law, own.bind(times))
    return diffusion.Model(data.Identity(w), times, own, net, time=time.Continuous())


def chain(one: diffusion.Model, law: Mixture, steps: int, x: Tensor) -> Tensor:
    """-log p(x) of the ancestral chain on the line, `[b]`: its own transitions on a fine lattice.

    With a spacing of 0.02 and transitions wider than 0.1 the trapezoidal rule is exact to 1e-9.
    """
    process = one.bind()
    z = torch.linspace(-6, 6, 601, dtype=torch.float64).unsqueeze(1)
    p = (-process.stationary((1, 1)).nll(z)).exp().flatten()
    times = [1 - i / steps for i in range(steps)] + [0.0]
    oracle = law.oracle(process)
    for t, s in pairwise(times):
        at, to = torch.full((len(z),), t).double(), torch.full((len(z),), s).double()
        hat = oracle(z, None, at)
        step = process.decoder(z, at, hat) if s == 0 else process.step(z, at, to, hat)
        goal = x if s == 0 else z
        p = p @ (-step.nll(goal.T)).exp() * 0.02
    return -p.log()


def in_bin(law: Mixture, x: Tensor, width: float) -> tuple[Tensor, Tensor]:
    """-log of the mass of the bin around x, and the mean of -log density over it less log width.

    By Gauss-Legendre with 40 nodes, exact to rounding for densities wider than the bin.
    """
    nodes, weights = (torch.tensor(v) for v in _legendre(40))
    logs = torch.stack([law.log_density(x + node * width / 2) for node in nodes])
    mass = (weights[:, None] * logs.exp()).sum(0) * width / 2
    return -mass.log(), -(weights[:, None] * logs).sum(0) / 2 - math.log(width)


def _legendre(count: int) -> tuple[Any, Any]:
    import numpy as np

    return np.polynomial.legendre.leggauss(count)
