r"""The exact density of the probability-flow ODE, by the change of variables along it.

    -log p(x) = -log p(x_T) - integral of div,      d log p(z)/du = -div dz/du

(Chen et al. 2018, theorem 1; Song et al. 2021, equation 39). With phi = signal + sigma, w = z/phi
and g = sigma/phi the ODE of any Gaussian process is dw/dg = epsilon - x, so that one curve serves
every schedule and path, and

    -log p(x) = -log p(z_T) - d log phi_T - integral of div_w (epsilon - x) dg + d log(phi/signal)

with d the dimension, p(z_T) the law sampling starts from, and the last term at the lower end, which
is a little above the data: what is measured is the density of x with noise of `NEAR` times its
unit, or of one step for integer times.

Quantised data have no density; x in a bin of width h has -log P(x) = -log of the integral of p over
the bin <= -E log p(x + u) - d log h, u uniform in the bin (Theis et al. 2016, equation 4). The
bins at the ends are as wide as the others, and what the model puts beyond them is counted as lost.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..data.latent import Latent
from ..errors import InputError, MismatchError
from ..grid.inverse import at, ratio
from ..noise.gaussian import Gaussian
from ..rng import Rng, uniform
from ..tree import State
from .bound import total
from .divergence import divergence, exact, probes
from .heard import Heard

NEAR = 3e-4
"""sigma/signal where the integral begins."""
STEPS, POWER = 50, 3.0
"""Steps of the integral, and the power of g in whose root they are even."""


def path(clock: Any, steps: int | None, continuous: bool) -> list[Any]:
    """The times at which the network is called, ascending.

    Continuous times: the ends and the middle (in g) of every step of a Runge-Kutta method. Integer
    times: the ends, at the steps that are nearest.
    """
    if not continuous and steps is None:
        return [*range(1, clock.steps + 1)]
    low = max(NEAR, ratio(clock, 1e-12 if continuous else 1))
    high = ratio(clock, clock.steps)
    first, last = ((r / (1 + r) if r < math.inf else 1.0) ** (1 / POWER) for r in (low, high))
    count = STEPS if steps is None else steps
    levels = [(first + (last - first) * i / count) ** POWER for i in range(count + 1)]
    if not continuous:
        found = at(clock, [_ratio(g) for g in levels[:-1]], False)
        return sorted({*(max(t, 1) for t in found), clock.steps})
    halves = [g for a, b in pairwise(levels) for g in (a, (a + b) / 2)]
    times = at(clock, [_ratio(g) for g in halves], True)
    # The network is told float32; the scales are taken at exactly those times.
    return [*torch.tensor(times, dtype=torch.float32).tolist(), 1.0]


def ode(
    noise: Any,
    predict: Any,
    data: Any,
    w: State,
    x: Tensor,
    y: State,
    times: Sequence[Any],
    rng: Rng,
) -> Tensor:
    """-log p(x), or for quantised data a draw that bounds -log P(x), `[b]`, in nats.

    Args: as of `bound`, with the times of `path`.
    """
    size = x[0].numel()
    nats = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    if data.bins is not None:
        x = x + ((uniform(x, rng) - 0.5) * data.bins).to(x.dtype)
        nats -= size * math.log(data.bins)
    flow = _Flow(noise, predict, y, times, probes(x, rng))
    rule = _rk4 if isinstance(times[0], float) else _heun
    signal, phi = flow.scales[0]
    state, gained = rule(flow, x * (signal / phi))
    phi_top = flow.scales[-1][1]
    z = (state * phi_top).to(x.dtype)
    top = noise.stationary(tuple(x.shape)).to(x.device, x.dtype).nll(z)
    nats += total(top.double()) - gained
    nats += size * math.log(phi / signal / phi_top)
    return flow.heard.require("ode", nats).to(x.dtype)


def varies(data: Any, x: State) -> bool:
    """Whether `ode` depends on what it draws."""
    return data.bins is not None or not exact(x)


def refuse(noise: Any, data: Any, w: State) -> None:
    """Raise where there is no ODE, or no density."""
    name, kind = type(noise).__name__, type(data).__name__
    if not isinstance(noise, Gaussian):
        raise MismatchError(
            f"nll(method='ode') and {name}: only noise.Gaussian has a probability-flow ODE. Use "
            "method='bound' or 'importance'."
        )
    if isinstance(data, Latent):
        raise MismatchError(
            "nll(method='ode') and data.Latent: the ODE gives the density of the latents, not of "
            "the items. Use method='bound', or measure the latents as data of their own."
        )
    if data.bins is None and not w.is_floating_point():
        raise MismatchError(
            f"nll(method='ode') and {kind}: items are {w.dtype}, and {kind} doesn't say how wide "
            "their bins are: a discrete x has no density. Use method='bound', or give the "
            "transform `bins` (see data.Images)."
        )


class _Flow:
    """(epsilon - x) and its divergence in w, at each of the times."""

    def __init__(
        self, noise: Any, predict: Any, y: State, times: Sequence[Any], along: Tensor
    ) -> None:
        self.noise, self.y, self.times, self.along = noise, y, times, along
        self.heard = Heard(predict)
        noise.prepare(times)
        scales = [noise.clock(t) for t in times]
        self.scales = [(signal, signal + sigma) for signal, sigma in scales]
        self.g = [1 - signal / phi for signal, phi in self.scales]

    def __call__(self, i: int, w: Tensor) -> tuple[Tensor, Tensor]:
        phi, solved = self.scales[i][1], self.noise.solve(self.times[i])
        with torch.enable_grad():
            z = (w * phi).detach().requires_grad_()
            hat = self.heard(z, self.y, self.times[i])[0]
            slope = z * (solved.ez - solved.xz) + hat * (solved.eh - solved.xh)
            if not hat.requires_grad:
                raise InputError(
                    "nll(method='ode'): the network's output has no gradient with respect to its "
                    "input, which the change of density is computed from. Does it detach it?"
                )
            change = phi * divergence(slope, z, self.along)
        slope = slope.detach()
        if not slope.isfinite().all():
            raise InputError(
                "nll(method='ode'): the network's output, or the state, is not finite at time "
                f"{self.times[i]:.4g}. Are the weights finite?"
            )
        return slope, change


def _rk4(flow: _Flow, w: Tensor) -> tuple[Tensor, Tensor]:
    """The state at the end, and the integral of the divergence: Runge-Kutta of order 4."""
    gained = torch.zeros(len(w), dtype=torch.float64, device=w.device)
    for i in range(0, len(flow.g) - 2, 2):
        h = flow.g[i + 2] - flow.g[i]
        one, d1 = flow(i, w)
        two, d2 = flow(i + 1, w + h / 2 * one)
        three, d3 = flow(i + 1, w + h / 2 * two)
        four, d4 = flow(i + 2, w + h * three)
        w = w + h / 6 * (one + 2 * (two + three) + four)
        gained += h / 6 * (d1 + 2 * (d2 + d3) + d4)
    return w, gained


def _heun(flow: _Flow, w: Tensor) -> tuple[Tensor, Tensor]:
    """The same by the trapezoidal rule: order 2, from the ends of a step alone."""
    gained = torch.zeros(len(w), dtype=torch.float64, device=w.device)
    for i in range(len(flow.g) - 1):
        h = flow.g[i + 1] - flow.g[i]
        one, d1 = flow(i, w)
        two, d2 = flow(i + 1, w + h * one)
        w = w + h / 2 * (one + two)
        gained += h / 2 * (d1 + d2)
    return w, gained


def _ratio(g: float) -> float:
    return g / (1 - g) if g < 1 else math.inf
