"""Fréchet distance against network calls for the samplers, on trained networks.

    python benchmarks/trained.py digits      # the model of `python3 dev.py demo`, in out/demo
    python benchmarks/trained.py fashion     # the model of examples/fashion.py, in out/fashion

The same classes, seeds and guidance (the model's own) for every sampler; each on the grid it
prefers. Those that can't start from pure noise start at sigma/signal = 80, on Karras et al.'s grid.
The distance is to held-out pictures in the features of a classifier, and beside it is that of as
many training pictures. Draws docs/images/solvers-NAME.png.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusion import Model, grid, sampler
from diffusion.base import Sampler
from diffusion.data.source import digits as load_digits
from diffusion.errors import InputError
from diffusion.metric import Judge, measure
from diffusion.picture.solvers import solvers as draw
from diffusion.sampling.compare import stages

ROOT = Path(__file__).parents[1]
CALLS = (5, 8, 12, 20)
SAMPLERS: dict[str, Sampler] = {
    "Adams": sampler.Adams(), "Adams 2": sampler.Adams(order=2),
    "Adams F": sampler.Adams("F", "angle"), "FlowAdams": sampler.FlowAdams(),
    "UniPC": sampler.UniPC(), "DPMSolverPP": sampler.DPMSolverPP(), "DDIM": sampler.DDIM(),
    "RES": sampler.RES(), "DEIS": sampler.DEIS(), "Heun": sampler.Heun(),
    "DPMSolverPP2S": sampler.DPMSolverPP2S(), "SDE": sampler.SDE(),
    "Euler": sampler.Euler(), "LMS": sampler.LMS(), "Ancestral": sampler.Ancestral(),
}  # fmt: skip
Pair = tuple[Tensor, Tensor]


def digits() -> tuple[Model[Any], Pair, Pair, Path]:
    """Model, training pictures, held-out pictures."""
    source = load_digits()
    w, y, test = (torch.as_tensor(part) for part in (source.w, source.y, source.w_test))
    train, held = (w, y), (test, torch.as_tensor(source.y_test))
    return Model.load(ROOT / "out/demo/model"), train, held, ROOT / "docs/images"


def fashion() -> tuple[Model[Any], Pair, Pair, Path]:
    """The same for clothes."""
    sys.path.insert(0, str(ROOT / "examples"))
    from sources import fashion as load

    one = load()
    train, held = (one.images, one.labels), (one.test_images, one.test_labels)
    return Model.load(ROOT / "out/fashion/model"), train, held, ROOT / "docs/images"


def samples(model: Model[Any], one: Sampler, y: Tensor, calls: int) -> Tensor:
    """Pictures of the classes `y` with so many network calls."""
    steps = calls // stages(one)
    found = []
    for first in range(0, len(y), 200):
        part: Any = y[first : first + 200]
        options: dict[str, Any] = {"sampler": one, "seed": 1 + first}
        with torch.autocast("cpu", torch.bfloat16):
            try:
                found.append(model.sample(part, steps=steps, **options))
            except InputError:
                found.append(model.sample(part, steps=grid.Karras(steps, high=80.0), **options))
    return torch.cat(found)


def main(name: str, each: int) -> None:
    model, train, held, folder = {"digits": digits, "fashion": fashion}[name]()
    judge = Judge.fit(*train, classes=10, epochs=10 if name == "digits" else 1)
    y = torch.arange(1, 11).repeat_interleave(each)
    lines: dict[str, tuple[list[int], list[float]]] = {}
    print(f"| sampler | {' | '.join(f'{c} calls' for c in CALLS)} |\n|---|{'---|' * len(CALLS)}")
    for title, one in SAMPLERS.items():
        counts = [c for c in CALLS if c // stages(one) >= 2]
        found = {c: measure(judge, samples(model, one, y, c), y, held, train) for c in counts}
        lines[title] = counts, [q.frechet for q in found.values()]
        cells = (f"{found[c].frechet:.3f}" if c in found else "" for c in CALLS)
        print(f"| {title} | {' | '.join(cells)} |", flush=True)
    real = next(iter(found.values())).real_frechet
    print(f"\nreal training pictures: {real:.3f}, at N = {next(iter(found.values())).count}")
    draw(lines, folder / f"solvers-{name}.png", f"{name}: Fréchet distance to held-out pictures",
         "Fréchet distance", most=8 * real)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=["digits", "fashion"])
    parser.add_argument("--each", type=int, default=40, help="pictures of each class")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    main(wish.name, wish.each)
