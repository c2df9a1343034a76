"""Fréchet distance against network calls for the samplers, on trained networks.

    python benchmarks/trained.py digits      # the model of `python3 dev.py demo`, in out/demo
    python benchmarks/trained.py fashion     # the model of examples/fashion.py, in out/fashion

The same classes, seeds and guidance (the model's own) for every sampler; each on the grid it
prefers, those that can't start from pure noise from sigma/signal = 80 on. The distance is to
held-out pictures in the features of a classifier; below it are that of as many training pictures,
and that of the ODE's end, 100 calls of `Adams()`. The last column is how far 32 other samples end
from the ODE's end from the same noise, over their size. Draws docs/images/solvers-NAME.png.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusion import Model, sampler
from diffusion.base import Sampler
from diffusion.data.source import digits as load_digits
from diffusion.metric import Judge, measure
from diffusion.picture.solvers import solvers as draw
from diffusion.sampling.compare import SOLVERS, reference, stages, times
from diffusion.sampling.exact import rms

ROOT = Path(__file__).parents[1]
CALLS = (5, 8, 12, 20)
FINE, STARTS = 100, 32
NAMES = (
    "Adams", "Adams 2", "Adams F", "FlowAdams", "UniPC", "UniPC 3", "DPMSolverPP", "DPMSolverPP 3M",
    "RES", "DEIS", "LMS", "Euler", "DDIM", "SDE", "Ancestral",
    "Heun", "Midpoint", "DPMSolverPP2S", "RES2S", "RES3S", "RK4",
)  # fmt: skip
DRAWING = ("SDE", "Ancestral")
"""Those that draw noise, and are not to end where the ODE does."""
TOLERANCES = (1e-1, 1e-2, 1e-3)
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


def samples(model: Model[Any], one: Sampler, y: Tensor, steps: Any) -> Tensor:
    """Pictures of the classes `y`."""
    parts = enumerate(y.split(200))
    found = [model.sample(w, steps=steps, sampler=one, seed=1 + 200 * i) for i, w in parts]
    return torch.cat(found)


def counted(model: Model[Any], one: Sampler, y: Tensor) -> tuple[Tensor, float]:
    """Pictures by steps of adaptive length, and the network calls of a batch of 200."""
    calls = 0

    def called(*_: object) -> None:
        nonlocal calls
        calls += 1

    hooks = [net.register_forward_pre_hook(called) for net in _nets(model)]
    found = samples(model, one, y, 1)
    for hook in hooks:
        hook.remove()
    return found, calls / len(y.split(200))


def _nets(model: Model[Any]) -> list[Any]:
    return [model.net] if model.average is None else [model.net, model.average.module.net]


def main(name: str, each: int) -> None:
    model, train, held, folder = {"digits": digits, "fashion": fashion}[name]()
    judge = Judge.fit(*train, classes=10, epochs=10 if name == "digits" else 1)
    y = torch.arange(1, 11).repeat_interleave(each)
    known = reference(model, torch.arange(STARTS) % 10 + 1, None, None, 0, 10 * CALLS[-1])
    lines: dict[str, tuple[list[float], list[float]]] = {}

    def far(w: Tensor) -> Any:
        return measure(judge, w, y, held, train)

    head = " | ".join(f"{c} calls" for c in CALLS)
    print(f"| {name} | {head} | from the ODE's end, {CALLS[-1]} calls |\n|---|{'---|' * 5}")
    for title in NAMES:
        one = SOLVERS[title]
        found = {
            c: far(samples(model, one, y, times(model, one, c))).frechet
            for c in CALLS if c // stages(one) >= 2
        }  # fmt: skip
        lines[title] = [*found], [*found.values()]
        cells = [f"{found[c]:.3f}" if c in found else "" for c in CALLS]
        if title not in DRAWING:
            cells.append(f"{rms(known.error(model, one, times(model, one, CALLS[-1]))):.1%}")
        print(f"| {title} | {' | '.join(cells)} |", flush=True)
    made, values = [], []
    for tolerance in TOLERANCES:
        w, calls = counted(model, sampler.Adaptive(tolerance, tolerance), y)
        made, values = [calls, *made], [far(w).frechet, *values]
        print(f"Adaptive({tolerance:g}, {tolerance:g}): {calls:.0f} calls, {values[0]:.3f}")
    lines["Adaptive"] = made, values
    end = far(samples(model, sampler.Adams(), y, FINE))
    print(f"the ODE's end, {FINE} calls of Adams: {end.frechet:.3f}")
    print(f"real training pictures: {end.real_frechet:.3f}, at N = {end.count}")
    title = f"{name}: Fréchet distance to held-out pictures"
    most = 1.1 * lines["Ancestral"][1][0]
    draw(lines, folder / f"solvers-{name}.png", title, "Fréchet distance", most)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=["digits", "fashion"])
    parser.add_argument("--each", type=int, default=40, help="pictures of each class")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    main(wish.name, wish.each)
