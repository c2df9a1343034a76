"""A score network that others trained, sampled with our solvers: galaxies, 32×32.

    python examples/galaxies.py                   # measures, writes out/galaxies/
    python examples/galaxies.py --net quasar72    # another of the package's networks
    python examples/galaxies.py --quick           # the same in seconds, on a few galaxies

The weights are those of galaxygrad 0.1.9, read without JAX; see `sources.galaxygrad`. Its process
is dz = -z/2 dt + dW up to t = 10, its network the score at (z, t), its pictures x = 10·log(1 + w)
of the flux w; it samples by dz/dt = -(z + score(z, t))/2 from t = 10 to 0. Here the network is a
`hub.Denoiser`, and the rest of the paper is a schedule and a parameter.

Measured 2026-11: see docs/examples/galaxies.md.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffusion import Model, hub, noise, picture, sampler, time
from diffusion.base import Data, Schedule
from diffusion.metric import frechet
from sources.galaxygrad import FILES, galaxygrad

OUT = Path("out/galaxies")
SOLVERS = {
    "Adams": sampler.Adams(),
    "DPM-Solver++ 2M": sampler.DPMSolverPP(),
    "Heun": sampler.Heun(),
    "DDIM": sampler.DDIM(),
}
Drift = Callable[[Tensor, float], Tensor]


class Mixer(nn.Module):
    """An MLP-mixer (Tolstikhin et al. 2021) on patches of 4×4, told the time as a second channel.

    Its parameters are made in the order of the package's files.
    """

    def __init__(self, side: int, width: int = 64, hidden: int = 512, blocks: int = 4) -> None:
        super().__init__()
        patches = (side // 4) ** 2
        self.enter = nn.Conv2d(2, width, 4, 4)
        self.exit = nn.ConvTranspose2d(width, 1, 4, 4)
        self.blocks = nn.ModuleList(Block(width, patches, hidden) for _ in range(blocks))
        self.norm = nn.LayerNorm((width, patches))

    def forward(self, x: Tensor, share: Tensor) -> Tensor:
        clock = share.to(x.dtype).view(-1, 1, 1, 1).expand_as(x)
        h = self.enter(torch.cat([x, clock], 1))
        tokens = h.flatten(2)
        for block in self.blocks:
            tokens = block(tokens)
        return self.exit(self.norm(tokens).view_as(h))


class Block(nn.Module):
    """Mixes across patches, then across the width: `[b, width, patches]` to the same."""

    def __init__(self, width: int, patches: int, hidden: int) -> None:
        super().__init__()
        self.across = nn.Sequential(
            nn.Linear(patches, hidden), nn.ReLU(), nn.Linear(hidden, patches)
        )
        self.within = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))
        self.norm1 = nn.LayerNorm((width, patches))
        self.norm2 = nn.LayerNorm((patches, width))

    def forward(self, h: Tensor) -> Tensor:
        h = h + self.across(self.norm1(h))
        return h + self.within(self.norm2(h.mT)).mT


def read(name: str) -> tuple[Mixer, float]:
    """A network of the package, and the time T where its process stops."""
    (*weights, end), side = galaxygrad(name)
    network = Mixer(side).requires_grad_(False)
    weights[2] = weights[2].flip(2, 3)  # Equinox's transposed convolution is a correlation
    for mine, found in zip(network.parameters(), weights, strict=True):
        mine.copy_(found.reshape(mine.shape))
    return network, float(end)


class Decay(Schedule):
    r"""dz = -z/2 dt + dW: signal = $e^{-t/2}$, sigma² = $1 - e^{-t}$, at t = end·u.

    The variance-preserving process of Song et al. 2021 (equation 33), with beta = 1.
    """

    steps: int = 1000
    end: float = 10.0

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        t = self.end * u
        return (-t / 2).exp(), (-torch.expm1(-t)).sqrt()


class LogFlux(Data):
    """Flux w as x = 10·log(1 + w)."""

    def encode(self, w: Tensor) -> Tensor:
        return 10 * w.log1p()

    def decode(self, x: Tensor) -> Tensor:
        return (x / 10).expm1()


def build(network: Mixer, end: float, side: int) -> Model[Any]:
    """The package's network and process as a `Model`."""
    process = Decay(end=end)
    return Model(
        data=LogFlux(),
        schedule=process,
        noise=noise.Gaussian("score"),
        net=hub.Denoiser(network, process, lambda t, _: t),  # the share of T is what it is told
        time=time.Continuous(),
        sampler=sampler.Adams(),
        shape=(1, side, side),
    )


def own(network: Mixer, end: float) -> Drift:
    """The package's dz/dt, along which it samples."""

    def drift(z: Tensor, t: float) -> Tensor:
        return -(z + network(z, torch.full((len(z),), t / end))) / 2

    return drift


def euler(
    drift: Drift, z: Tensor, times: list[float], rng: torch.Generator | None = None
) -> Tensor:
    """Euler's method; with a generator the reverse SDE dz = (-z/2 - score) dt + dW instead."""
    for t, s in pairwise(times):
        slope = drift(z, t)
        if rng is None:
            z = z + (s - t) * slope
            continue
        z = z + (s - t) * (2 * slope + z / 2)
        if s > 0:
            z = z + (t - s) ** 0.5 * torch.randn(z.shape, generator=rng)
    return z


def rk4(drift: Drift, z: Tensor, times: list[float]) -> Tensor:
    """The classical Runge-Kutta method, four calls a step."""
    for t, s in pairwise(times):
        h, middle = s - t, (t + s) / 2
        first = drift(z, t)
        second = drift(z + h / 2 * first, middle)
        third = drift(z + h / 2 * second, middle)
        z = z + h / 6 * (first + 2 * second + 2 * third + drift(z + h * third, s))
    return z


def even(end: float, steps: int) -> list[float]:
    """Times of equal distance, as the package's."""
    return [end * (1 - i / steps) for i in range(steps)] + [0.0]


def shapes(w: Tensor) -> Tensor:
    """What a galaxy looks like, `[n, 4]`: log flux, log peak, log size in pixels, elongation."""
    light = (w - 0.05).clamp_min(0).flatten(1).double()  # without the faint noise of the sky
    total = light.sum(1).clamp_min(1e-3)
    side = torch.arange(w.shape[-1], dtype=torch.float64)
    places = torch.cartesian_prod(side, side)  # row, column
    centre = light @ places / total[:, None]
    apart = places - centre[:, None]
    moments = torch.einsum("np,npi,npj->nij", light, apart, apart) / total[:, None, None]
    across = moments.diagonal(dim1=1, dim2=2)
    spread = across.sum(1).clamp_min(0.1)
    longer = torch.hypot(across[:, 0] - across[:, 1], 2 * moments[:, 0, 1]) / spread
    return torch.stack(
        [total.log(), light.amax(1).clamp_min(1e-3).log(), spread.log() / 2, longer], 1
    )


def trajectories(
    model: Model[Any], drift: Drift, end: float, z: Tensor, quick: bool
) -> tuple[dict[str, dict[int, float]], dict[str, Tensor]]:
    """Errors by solver and calls, relative to the ends of the package's ODE; and these states."""
    counts, fine = ((4, 8), 60) if quick else ((10, 20, 50), 1000)
    goal = rk4(drift, z, even(end, fine))

    def error(x: Tensor) -> float:
        return float((x - goal).norm() / goal.norm())

    errors: dict[str, dict[int, float]] = {name: {} for name in SOLVERS}
    ends = {"the package's ODE, exact": goal}
    for name, one in SOLVERS.items():
        for count in counts:
            steps = count // 2 if name == "Heun" else count
            *_, x = model.stream(steps=steps, sampler=one, z=z)
            errors[name][count] = error(x)
            ends[f"{name}, {count} calls"] = x
    plain = {count: euler(drift, z, even(end, count)) for count in (*counts, fine)}
    errors["Euler in t"] = {count: error(x) for count, x in plain.items()}
    ends[f"Euler in t, {counts[0]} calls"] = plain[counts[0]]
    return errors, ends


def laws(model: Model[Any], drift: Drift, end: float, size: int, quick: bool) -> dict[str, Any]:
    """Fréchet distances in `shapes` from the package's reverse SDE in many steps."""
    counts, fine = ((4, 8), 60) if quick else ((10, 20, 50), 1000)
    rng = torch.Generator().manual_seed(1)

    def noisy(steps: int) -> Tensor:
        z = torch.randn(size, *model.shape, generator=rng)
        return model.data.decode(euler(drift, z, even(end, steps), rng))

    sets = {f"reverse SDE, {fine} calls, again": noisy(fine)}
    sets[f"reverse SDE, {counts[-1]} calls"] = noisy(counts[-1])
    for count in counts:
        sets[f"Adams, {count} calls"] = model.sample(batch=size, steps=count, seed=2)
    last = counts[-1]
    sets[f"SDE, {last} calls"] = model.sample(batch=size, steps=last, sampler=sampler.SDE(), seed=2)
    reference = shapes(noisy(fine))
    unit = reference.std(0)
    rows = {name: shapes(w) for name, w in sets.items()}
    return {
        name: {
            "frechet": frechet(row / unit, reference / unit),
            "flux": float(row[:, 0].median().exp()),
            "size": float(row[:, 2].median().exp()),
        }
        for name, row in rows.items()
    }


def draw(ends: dict[str, Tensor], columns: int, path: Path) -> None:
    """One row for each way to sample, from the same noise; x is shown, the log of the flux."""
    bright = next(iter(ends.values()))[:columns].quantile(0.998)
    pictures = [(255 * (x[:columns] / bright).clamp(0, 1)).byte() for x in ends.values()]
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.grid(torch.cat(pictures), columns, labels=list(ends)).save(path)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", default="hsc32", choices=tuple(FILES))
    parser.add_argument("--quick", action="store_true", help="few galaxies, few steps")
    options = parser.parse_args(argv)
    (network, end), side = read(options.net), int(options.net[-2:])
    model, drift = build(network, end, side), own(network, end)
    few, many = (4, 12) if options.quick else (32, 200)
    z = torch.randn(few, 1, side, side, generator=torch.Generator().manual_seed(0))
    errors, ends = trajectories(model, drift, end, z, options.quick)
    result = {"errors": errors, "laws": laws(model, drift, end, many, options.quick)}
    shown = {name: x for name, x in ends.items() if not name.startswith(("Heun", "DDIM"))}
    draw(shown, min(few, 10), OUT / "samples.png")
    (OUT / "result.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    main()
