"""A network in an ONNX file as a model: terrains of a chosen difficulty, 128×128.

    python examples/terrain.py            # measures, writes out/terrain/: about 30 CPU-minutes
    python examples/terrain.py --quick    # the same on one terrain, in few calls

D(z, sigma, difficulty) of adaptive-terrain-diffusion 0.4.2 (MIT; see `sources.terrain`) as a model
in EDM form (Karras et al. 2022): z = x + sigma·epsilon, sigma from 0.002 to 80, and D says x.
PyTorch sees a module whose forward calls ONNX Runtime; schedule and conditions are ours.

D was distilled to answer at sigma = 80 in one call. What the solvers show is how far below that it
can be asked.
"""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion import Model, grid, hub, noise, picture, sampler, schedule, time
from diffusion.base import Data
from sources.onnx import session
from sources.terrain import terrain

OUT = Path("out/terrain")
SOLVERS = {
    "Adams": sampler.Adams(), "Heun": sampler.Heun(), "DPM-Solver++": sampler.DPMSolverPP(),
}  # fmt: skip
LEVELS = (80.0, 40.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1)
STOP = 20.0
"""sigma at which the network is asked for the last time, in the shorter of the two ODEs."""
CALLS = (10, 20, 50)


class Onnx(nn.Module):
    """D as a module; its difficulties are told as 0, the easiest, to 1."""

    def __init__(self, opened: Any) -> None:
        super().__init__()
        self.session = opened

    def forward(self, x: Tensor, sigma: Tensor, class_labels: Tensor) -> Tensor:
        if x.is_meta:  # a model checks shapes without numbers
            return torch.empty_like(x)
        z = x * (1 + sigma**2).sqrt().view(-1, 1, 1, 1)  # x is z at unit variance
        given = {"noisy": z, "sigma": sigma, "difficulty": class_labels / 99}
        fed = {name: value.float().cpu().numpy() for name, value in given.items()}
        return torch.from_numpy(self.session.run(["denoised"], fed)[0]).to(x)


class Heights(Data):
    """Metres as x in [-1, 1], the lowest place at -1: the scale of the package.

    x = 2·asinh(h/0.1)/asinh(highest/0.1) - 1.
    """

    highest: float = 22.16864013671875

    def encode(self, w: Tensor) -> Tensor:
        above = (w - w.amin((-2, -1), keepdim=True)).clamp(0, self.highest)
        return 2 * (above / 0.1).asinh() / self._norm - 1

    def decode(self, x: Tensor) -> Tensor:
        heights = 0.1 * ((x + 1).clamp(0, 2) / 2 * self._norm).sinh()
        return heights - heights.amin((-2, -1), keepdim=True)

    @property
    def _norm(self) -> float:
        return math.asinh(self.highest / 0.1)


def build(network: nn.Module) -> Model[Any]:
    """The network and its process as a `Model`; conditions are difficulties 1..100."""
    process = schedule.Karras()
    return Model(
        data=Heights(),
        schedule=process,
        noise=noise.Gaussian("x"),
        net=hub.Denoiser(network, process, lambda t, clock: clock(t)[1], labels=100),
        time=time.Continuous(),
        sampler=sampler.Consistency(),
        shape=(1, 128, 128),
    )


def rms(x: Tensor) -> float:
    """The root of the mean square."""
    return float(x.square().mean().sqrt())


def blurred(z: Tensor, width: int) -> Tensor:
    """The mean of the `width`×`width` pixels around each."""
    return F.avg_pool2d(z, width, 1, width // 2, count_include_pad=False)


def denoising(
    network: nn.Module, x: Tensor, labels: Tensor, levels: Sequence[float]
) -> dict[float, dict[str, float]]:
    """Errors in x, given x + sigma·epsilon, of the network and of the best blur."""
    rng, found = torch.Generator().manual_seed(1), {}
    for level in levels:
        z = x + level * torch.randn(x.shape, generator=rng)
        sigma = torch.full((len(x),), level)
        said = network(z / (1 + level**2) ** 0.5, sigma, labels - 1)
        blurs = [blurred(z, width) for width in (1, 3, 5, 9, 17, 33, 65, 127)]
        errors = [rms(one - x) for one in (said, *blurs)]
        found[level] = {"network": errors[0], "blur": min(errors[1:])}
    return found


def trajectories(
    model: Model[Any], y: Tensor, z: Tensor, counts: Sequence[int], fine: int, stop: float | None
) -> tuple[dict[str, dict[int, float]], dict[int, Tensor]]:
    """Errors in x by solver and calls, from where the ODE ends, and the ends of Adams.

    `stop`: the last sigma that is asked for; there x is what the network says.
    """

    def end(one: Any, calls: int) -> Tensor:
        steps = calls // 2 if isinstance(one, sampler.Heun) else calls
        path = steps if stop is None else grid.Karras(steps, low=stop)
        return list(model.stream(y, steps=path, sampler=one, z=z))[-1]

    goal = end(sampler.Adams(), fine)
    errors: dict[str, dict[int, float]] = {}
    ends = {}
    for name, one in SOLVERS.items():
        for count in counts:
            x = end(one, count)
            errors.setdefault(name, {})[count] = rms(x - goal)
            if name == "Adams":
                ends[count] = x
    return errors, {**ends, fine: goal}


def relief(x: Tensor) -> Tensor:
    """Maps as bytes `[n, 3, h, w]`: green lowlands to white peaks, lit from the upper left."""
    stops = torch.tensor([[46, 94, 78], [112, 148, 88], [200, 180, 120], [142, 104, 84], [250] * 3])
    level = ((x[:, 0] + 1) / 1.5).clamp(0, 1) * (len(stops) - 1)
    low = level.floor().clamp_max(len(stops) - 2).long()
    part = (level - low).unsqueeze(-1)
    colour = (1 - part) * stops[low] + part * stops[low + 1]
    edge = F.pad(x, (1, 1, 1, 1), mode="replicate")[:, 0]
    slope = edge[:, 2:, 2:] - edge[:, :-2, :-2]
    light = (1 + 4 * slope).clamp(0.5, 1.3).unsqueeze(-1)
    return (colour * light).clamp(0, 255).byte().movedim(-1, 1)


def draw(columns: dict[str, Tensor], y: Tensor, path: Path) -> None:
    """A row for each difficulty, a column for each way to sample."""
    pictures = torch.stack([relief(x) for x in columns.values()], 1).flatten(0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [f"difficulty {i}" for i in y.tolist()]
    picture.grid(pictures, len(columns), names, headings=list(columns)).save(path)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one terrain, few calls")
    options = parser.parse_args(argv)
    network = Onnx(session(terrain(), torch.get_num_threads()))
    model = build(network)
    y = torch.tensor([50] if options.quick else [1, 50, 100])
    levels = (20.0, 0.5) if options.quick else LEVELS
    counts, fine, long = ((2,), 3, 3) if options.quick else (CALLS, 100, 200)
    z = 80 * torch.randn(len(y), *model.shape, generator=torch.Generator().manual_seed(0))

    *_, once = model.stream(y, steps=1, z=z)
    short, near = trajectories(model, y, z, counts, fine, STOP)
    whole, far = trajectories(model, y, z, counts, long, None)
    columns = {"its own, 1 call": once}
    columns |= {f"to {STOP:g}, {count} calls": x for count, x in near.items()}
    columns |= {f"to 0, {count} calls": x for count, x in far.items()}
    draw(columns, y, OUT / "samples.png")
    result = {
        "denoising": denoising(network, once, y, levels),
        "errors": {f"to {STOP:g}": short, "to 0": whole},
        "rough": {name: rms(x.diff(dim=-1)) for name, x in columns.items()},
        "from one call": {name: rms(x - once) for name, x in columns.items()},
    }
    (OUT / "result.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    main()
