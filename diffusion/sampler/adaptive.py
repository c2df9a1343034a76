r"""Steps whose length follows the error: the pair of Bogacki & Shampine 1989 under PI control.

With w = z/(signal + sigma), the ODE is dw/du = (epsilon - x)·dg/du, g = sigma/(signal + sigma).
A step of order 3 is compared with one of order 2; err is the root mean square of the difference
over atol + rtol·max(|w|, |w'|), and the next step is

    h <- h · clip(0.9·err^(-0.7/3)·err_before^(0.4/3), 0.2, 5)

after err <= 1, else h is cut and tried again (Soderlind 2003; Hairer & Wanner 1996, IV.2). Every
sample has its own time and step, so that none depends on the batch.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..base import Grid, Noise, Predict, Sampler
from ..errors import InputError
from ..grid import Uniform
from ..grid.inverse import at
from ..noise.clock import fit
from ..noise.fixed import Fixed
from ..noise.split import Split
from ..rng import Rng
from ..tree import State
from .plan import refuse
from .settings import within

LAST, MOST = 1e-3, 2000
NODES = (1 / 2, 3 / 4, 1.0)
STAGES = ((1 / 2,), (0.0, 3 / 4), (2 / 9, 1 / 3, 4 / 9))
LOWER = (7 / 24, 1 / 4, 1 / 3, 1 / 8)


class Adaptive(Sampler):
    """Integrate the probability-flow ODE to a tolerance, with as many calls as that takes.

    Args:
        rtol, atol: relative and absolute tolerance of one step, in the units of the data.
        first: length of the first step, as a share of time.

    `steps` says how many states are wanted, not how many calls are made: `sample(steps=1)`. The
    last thousandth of sigma/(signal + sigma) is one step. For continuous times.
    """

    rtol: float = 1e-3
    atol: float = 1e-3
    first: float = 0.02

    def __post_init__(self) -> None:
        for name in ("rtol", "atol", "first"):
            within(f"Adaptive.{name}", getattr(self, name), 0, inside=True)

    def fits(self, noise: Noise[Any]) -> str | None:
        return refuse(self, noise)

    def grid(self, steps: int) -> Grid | None:
        return Uniform(steps, "flow")

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        if not isinstance(times[0], float):
            raise InputError(
                "Adaptive: steps of any length need continuous times, time=Continuous()."
            )
        if isinstance(noise, Fixed):
            raise InputError(
                "Adaptive can't hold known positions, nor be told another state between its steps. "
                "Use Adams(), or RungeKutta()."
            )
        flow = Flow(noise, predict, y, z.dtype)
        near = at(noise.clock, [LAST / (1 - LAST)], True)[0]
        u = torch.full((len(z),), times[0], dtype=torch.float64, device=z.device)
        h = torch.full_like(u, self.first)
        w = z / fit(flow.norm(u), z)
        for t, s in pairwise(times):
            if t > near:
                u, w, h = self._reach(flow, u, w, h, max(s, near))
            if s <= near:
                w = flow.leap(u, w, s)
                u = torch.full_like(u, s)
            yield (w * fit(flow.norm(u), w)).to(z.dtype)

    def _reach(
        self, flow: "Flow", u: Tensor, w: Tensor, h: Tensor, end: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Integrate every sample down to the time `end`."""
        slope, before = flow(u, w), torch.ones_like(u)
        for _ in range(MOST):
            left = u - end
            if not (left > 0).any():
                return u, w, h
            step = torch.minimum(h, left)
            slopes, moved = [slope], w
            for c, row in zip(NODES, STAGES, strict=True):
                moved = w - fit(step, w) * sum(a * k for a, k in zip(row, slopes, strict=True))
                slopes.append(flow(u - c * step, moved))
            lower = w - fit(step, w) * sum(b * k for b, k in zip(LOWER, slopes, strict=True))
            scale = self.atol + self.rtol * torch.maximum(w.abs(), moved.abs())
            wrong = ((moved - lower) / scale).double().flatten(1).square().mean(1).sqrt()
            if not wrong.isfinite().all():
                raise InputError("Adaptive: the network's answer, or the state, is not finite.")
            fine = (wrong <= 1) & (left > 0)
            wrong = wrong.clamp_min(1e-10)
            u = torch.where(fine, torch.where(step < left, u - step, end), u)
            w, slope = (torch.where(fit(fine, w) > 0, b, a) for a, b in
                        ((w, moved), (slope, slopes[-1])))  # fmt: skip
            grown = 0.9 * wrong ** (-0.7 / 3) * torch.where(fine, before ** (0.4 / 3), 1.0)
            # A step that was cut short to end at `end` says little of the one after it.
            h = torch.where((fine & (step < h)) | (left <= 0), h, step * grown.clamp(0.2, 5.0))
            before = torch.where(fine, wrong, before)
        raise InputError(
            f"{self!r}: {MOST} steps were not enough. Loosen rtol and atol, or look for jumps in "
            "what the network says."
        )


class Flow:
    """dw/du, from what the network says of each sample, in its own dtype, at its own time."""

    def __init__(self, noise: Any, predict: Predict, y: State, dtype: torch.dtype) -> None:
        self.noise, self.predict, self.y, self.dtype = noise, predict, y, dtype

    def norm(self, u: Tensor) -> Tensor:
        """signal + sigma."""
        signal, sigma = self.noise.clock(u)
        total: Tensor = signal + sigma
        return total

    def __call__(self, u: Tensor, w: Tensor) -> Tensor:
        (signal, sigma), (d_signal, d_sigma) = self.noise.clock(u), self.noise.clock.rates(u)
        speed = (d_sigma * signal - sigma * d_signal) / (signal + sigma) ** 2
        return self.velocity(u, w * fit(signal + sigma, w)) * fit(speed, w)

    def leap(self, u: Tensor, w: Tensor, end: float) -> Tensor:
        """One step of Euler's method in g."""
        signal, sigma = self.noise.clock(u)
        target = self.noise.clock(end)
        moved = target[1] / (target[0] + target[1]) - sigma / (signal + sigma)
        return w + self.velocity(u, w * fit(signal + sigma, w)) * fit(moved, w)

    def velocity(self, u: Tensor, z: Tensor) -> Tensor:
        """epsilon - x."""
        t = u.to(torch.float32 if z.element_size() < 8 else u.dtype)
        hat: Any = self.predict(z.to(self.dtype), self.y, t)
        if isinstance(hat, Split):
            raise InputError(
                "Adaptive: this guidance moves the state at every step, so that its result depends "
                "on their number. Use Adams(), or ClassifierFree."
            )
        solved = self.noise.solve(u)
        on_z, on_hat = solved.ez - solved.xz, solved.eh - solved.xh
        velocity: Tensor = fit(on_z, z) * z + fit(on_hat, z) * hat[0]
        return velocity
