"""Likelihoods of exact models by every method, beside the truth, with their standard errors.

    python benchmarks/likelihood.py

Three beds with a closed-form network: a mixture in the plane, one in twenty dimensions (where the
ODE's divergence is estimated by probes), and two dependent tokens with a third state as the mask.
A figure is the mean over the same items in nats; the error is that of its draws, the items held
fixed, and the seconds are one core's. The terms of the bound are even in log-SNR for the mixtures,
in time for the tokens. "chain" is the law of the ancestral sampler, which bound and
importance weights speak of; for the tokens it is exact too, and differs from the data's.
"""

import math
import time as clock
from typing import NamedTuple

import torch
from torch import Tensor

import diffusion
from diffusion import data, grid, noise, schedule, time
from diffusion.base import Net
from diffusion.exact import Enumerated, Mixture

ITEMS, STEPS = 32, 200
ROWS = [
    ("bound", 1), ("bound", 64), ("importance", 8), ("importance", 64),
    ("ode", 1), ("ode", 64),
]  # fmt: skip


class Oracle(Net):
    """The exact network, in float64."""

    def __init__(self, law: Mixture | Enumerated, process: object) -> None:
        self.predict = law.oracle(process)  # type: ignore[arg-type]
        self.unused = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        hat: Tensor = self.predict(x, None, t)
        return hat


class Bed(NamedTuple):
    """A model, -log p of its items under the data's law, and under the chain's where known."""

    model: diffusion.Model
    exact: float
    chain: float


def mixture(size: int) -> Bed:
    """Three components of unequal width, correlated."""
    gen = torch.Generator().manual_seed(size)
    means = torch.randn(3, size, generator=gen, dtype=torch.float64) * 0.8
    root = torch.randn(3, size, size, generator=gen, dtype=torch.float64) / size**0.5
    eye = torch.eye(size, dtype=torch.float64)
    law = Mixture(torch.ones(3), means, covariances=0.2 * root @ root.mT + 0.05 * eye)
    w = law.sample(ITEMS, gen)[0]
    own, times = noise.Gaussian("velocity"), schedule.Flow(1000)
    model = diffusion.Model(
        data.Identity(w, batch=ITEMS),
        times,
        own,
        Oracle(law, own.bind(times)),
        time=time.Continuous(),
    )
    return Bed(model, -float(law.log_density(w).mean()), math.nan)


def tokens() -> Bed:
    """Two tokens that mostly agree, under absorbing noise."""
    p = torch.tensor([[0.4, 0.1, 0.0], [0.05, 0.45, 0.0], [0.0, 0.0, 0.0]])
    law, own, times = Enumerated(p), noise.Absorbing(3), schedule.Flow(1000)
    bound, w = own.bind(times), law.sample(ITEMS, torch.Generator().manual_seed(0))
    oracle = law.oracle(bound)
    chain = law.law(bound, oracle, [1 - i / STEPS for i in range(STEPS)] + [0.0])
    model = diffusion.Model(
        data.Identity(w, batch=ITEMS), times, own, Oracle(law, bound), time=time.Continuous()
    )
    first, second = w.unbind(1)
    exact, own_law = (-float(v[first, second].log().mean()) for v in (law.p, chain))
    return Bed(model, exact, own_law)


def main() -> None:
    torch.set_num_threads(1)
    beds = {"plane": mixture(2), "twenty": mixture(20), "tokens": tokens()}
    print(f"nats, mean of {ITEMS} items; {STEPS} terms, ODE of 50 steps\n")
    print("| method | draws | " + " | ".join(beds) + " |")
    print("|---|---|" + "---|" * len(beds))
    for kind in ("exact", "chain"):
        values = (getattr(bed, kind) for bed in beds.values())
        print(f"| {kind} | | " + " | ".join("" if v != v else f"{v:.4f}" for v in values) + " |")
    for method, draws in ROWS:
        cells = " | ".join(row(bed, method, draws) for bed in beds.values())
        print(f"| {method} | {draws} | {cells} |", flush=True)


def row(bed: Bed, method: str, draws: int) -> str:
    """One figure: value, standard error, seconds."""
    if method == "ode" and not isinstance(bed.model.noise, noise.Gaussian):
        return ""
    gaussian = isinstance(bed.model.noise, noise.Gaussian)
    terms = grid.Uniform(STEPS, "log_snr", low=0.01) if gaussian else STEPS
    start, steps = clock.perf_counter(), None if method == "ode" else terms
    how = {"steps": steps, "unit": "nats", "method": method, "draws": draws}
    if draws == 1:
        value, error = bed.model.nll(**how), None
    else:
        value, error = bed.model.nll(**how, error=True)
    spent = clock.perf_counter() - start
    told = "" if error is None else f" ± {float(error.square().sum().sqrt()) / ITEMS:.4f}"
    return f"{float(value.mean()):.4f}{told} ({spent:.1f} s)"


if __name__ == "__main__":
    main()
