"""A score network that others trained, sampled with our solvers: galaxies, 32×32.

    python examples/galaxies.py                   # measures, writes out/galaxies/
    python examples/galaxies.py --net quasar72    # another network of the package
    python examples/galaxies.py --quick           # in seconds, on a few galaxies

The weights are those of galaxygrad 0.1.9, read without JAX; see `sources.galaxygrad`. Its process
is dz = -z/2 dt + dW up to t = 10, its network the score at (z, t), its pictures x = 10·log(1 + w)
of the flux w; it samples by dz/dt = -(z + score(z, t))/2 from t = 10 to 0. Here the network is a
`hub.Denoiser`, the rest a schedule and a parameter.
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
    "Adams": sampler.Adams(), "UniPC": sampler.UniPC(), "DPM-Solver++": sampler.DPMSolverPP(),
    "DDIM": sampler.DDIM(), "Heun": sampler.Heun(),
}  # fmt: skip
Drift = Callable[[Tensor, float], Tensor]
QUICK, FULL = (2, 6, (5, 10), 40), (32, 200, (10, 20, 50), 1000)


class Mixer(nn.Module):
    """An MLP-mixer (Tolstikhin et al. 2021) on patches of 4×4, told the time as a second channel.

    Its parameters are in the order of the package's files.
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
        self.across, self.within = (
            nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, size))
            for size in (patches, width)
        )
        self.norm1 = nn.LayerNorm((width, patches))
        self.norm2 = nn.LayerNorm((patches, width))

    def forward(self, h: Tensor) -> Tensor:
        h = h + self.across(self.norm1(h))
        return h + self.within(self.norm2(h.mT)).mT


def read(name: str) -> tuple[Mixer, float, int]:
    """A network of the package, the time where its process stops, and the side of its pictures."""
    (*weights, end), side = galaxygrad(name)
    network = Mixer(side).requires_grad_(False)
    weights[2] = weights[2].flip(2, 3)  # Equinox's transposed convolution is a correlation
    for mine, found in zip(network.parameters(), weights, strict=True):
        mine.copy_(found.reshape(mine.shape))
    return network, float(end), side


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
    net = hub.Denoiser(network, process, lambda t, _: t)  # the share of `end` is what it is told
    return Model(
        LogFlux(), process, noise.Gaussian("score"), net,
        time=time.Continuous(), sampler=sampler.Adams(), shape=(1, side, side),
    )  # fmt: skip


def own(network: Mixer, end: float) -> Drift:
    """The package's dz/dt, along which it samples."""

    def drift(z: Tensor, t: float) -> Tensor:
        return -(z + network(z, torch.full((len(z),), t / end))) / 2

    return drift


def times(end: float, steps: int, power: int = 1) -> list[float]:
    """From `end` to 0, even as the package's, or closer to each other near 0."""
    return [end * (1 - i / steps) ** power for i in range(steps)] + [0.0]


def euler(drift: Drift, z: Tensor, path: list[float], rng: Any = None) -> Tensor:
    """Euler's method; with a generator on the reverse SDE, dz = (-z/2 - score) dt + dW."""
    for t, s in pairwise(path):
        slope = drift(z, t)
        if rng is None:
            z = z + (s - t) * slope
        else:
            z = z + (s - t) * (2 * slope + z / 2)
            z = z + (t - s) ** 0.5 * torch.randn(z.shape, generator=rng) * (s > 0)
    return z


def rk4(drift: Drift, z: Tensor, path: list[float]) -> Tensor:
    """The classical Runge-Kutta method, four calls a step."""
    for t, s in pairwise(path):
        h, middle = s - t, (t + s) / 2
        first = drift(z, t)
        second = drift(z + h / 2 * first, middle)
        third = drift(z + h / 2 * second, middle)
        z = z + h / 6 * (first + 2 * second + 2 * third + drift(z + h * third, s))
    return z


def trajectories(
    model: Model[Any], drift: Drift, end: float, z: Tensor, counts: Sequence[int], fine: int
) -> tuple[dict[str, dict[int, float]], dict[str, Tensor]]:
    """Errors by solver and calls, relative to where the package's ODE ends, and the ends."""
    ends = {f"its own ODE, {fine} calls": rk4(drift, z, times(end, fine // 4, 2))}
    (goal,) = ends.values()
    errors: dict[str, dict[int, float]] = {}

    def add(name: str, count: int, x: Tensor) -> None:
        errors.setdefault(name, {})[count] = float((x - goal).norm() / goal.norm())
        ends[f"{name}, {count} calls"] = x

    for name, one in SOLVERS.items():
        for count in counts:
            steps = count // 2 if name == "Heun" else count
            add(name, count, list(model.stream(steps=steps, sampler=one, z=z))[-1])
    for count in (*counts, fine):
        add("Euler in t", count, euler(drift, z, times(end, count)))
    return errors, ends


def shapes(w: Tensor) -> Tensor:
    """What galaxies look like, `[n, 4]`: log flux, log peak, log size in pixels, elongation."""
    light = (w - 0.05).clamp_min(0).flatten(1).double()  # without the faint noise of the sky
    total = light.sum(1).clamp_min(1e-3)
    side = torch.arange(w.shape[-1], dtype=torch.float64)
    places = torch.cartesian_prod(side, side)  # row, column
    apart = places - (light @ places / total[:, None])[:, None]
    moments = torch.einsum("np,npi,npj->nij", light, apart, apart) / total[:, None, None]
    (rows, columns), mixed = moments.diagonal(dim1=1, dim2=2).unbind(1), moments[:, 0, 1]
    spread, peak = (rows + columns).clamp_min(0.1), light.amax(1).clamp_min(1e-3)
    longer = torch.hypot(rows - columns, 2 * mixed) / spread
    return torch.stack([total.log(), peak.log(), spread.log() / 2, longer], 1)


def laws(
    model: Model[Any], drift: Drift, end: float, size: int, counts: Sequence[int], fine: int
) -> dict[str, float]:
    """Fréchet distances in `shapes` from the package's reverse SDE in many steps."""
    rng = torch.Generator().manual_seed(1)

    def noisy(steps: int) -> Tensor:
        z = torch.randn(size, *model.shape, generator=rng)
        return model.data.decode(euler(drift, z, times(end, steps), rng))

    goal, sets = shapes(noisy(fine)), {f"its own SDE, {fine} calls, again": noisy(fine)}
    for count in counts:
        sets[f"its own SDE, {count} calls"] = noisy(count)
        for one in (sampler.SDE(), sampler.Adams()):
            drawn = model.sample(batch=size, steps=count, sampler=one, seed=2)
            sets[f"{type(one).__name__}, {count} calls"] = drawn
    unit = goal.std(0)
    return {name: frechet(shapes(w) / unit, goal / unit) for name, w in sets.items()}


def draw(ends: dict[str, Tensor], path: Path, columns: int = 10) -> None:
    """A row for each way to sample, from the same noise; shown is x, the log of the flux."""
    rows = torch.stack([x[:columns] for x in ends.values()])
    pictures = (255 * (rows / rows[0].quantile(0.995)).clamp(0, 1)).byte().flatten(0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.grid(pictures, rows.shape[1], labels=list(ends)).save(path)


def table(errors: dict[str, dict[int, float]]) -> str:
    """The errors in Markdown, a column for each number of calls."""
    counts = sorted({count for row in errors.values() for count in row})
    lines = [["error at calls", *map(str, counts)], ["---"] * (1 + len(counts))]
    for name, row in errors.items():
        lines.append([name, *(f"{row[c]:.4f}" if c in row else "" for c in counts)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", default="hsc32", choices=tuple(FILES))
    parser.add_argument("--quick", action="store_true", help="few galaxies, few steps")
    options = parser.parse_args(argv)
    network, end, side = read(options.net)
    model, drift = build(network, end, side), own(network, end)
    few, many, counts, fine = QUICK if options.quick else FULL
    z = torch.randn(few, *model.shape, generator=torch.Generator().manual_seed(0))
    errors, ends = trajectories(model, drift, end, z, counts, fine)
    kept = [name for name in ends if name.startswith(("its", "Adams", "DPM", "Euler"))]
    draw({name: ends[name] for name in kept}, OUT / "samples.png")
    result = {"errors": errors, "laws": laws(model, drift, end, many, counts, fine)}
    (OUT / "result.json").write_text(json.dumps(result, indent=2))
    distances = (f"{name}: Fréchet distance {d:.2f}" for name, d in result["laws"].items())
    print(table(errors), *distances, sep="\n")
    return result


if __name__ == "__main__":
    main()
