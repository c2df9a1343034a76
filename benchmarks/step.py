"""What a step costs outside the network: ours, and Diffusers', on a state of 1x4x64x64.

    python benchmarks/step.py [--rounds 41]

The network hands back a tensor it has, and a trajectory of 30 steps runs beside loops of 30 bare
operations on tensors of that size, one thread, CPU time, the median of many rounds:

- axpy: `torch.add(z, h, alpha=c)`, which is all that Euler's method can do without
- sum: the step written by hand, as the formulas stand. The target is read off the output, if it is
  not the output itself; then z and the targets are added up in place, with constants

Ours are asked for states by the sampler's own generator; the plan was made before, as in any second
sampling. Diffusers' `step` is called as its pipelines do, without `return_dict`.
"""

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import torch
from ratio import ratio
from torch import Tensor

from diffusion import noise, sampler, schedule
from diffusion.base import Sampler
from diffusion.sampler.ancestral import ORDER_ONE
from diffusion.sampler.plan import Reading
from diffusion.sampler.runge_kutta import RungeKutta

COUNT = 30
SHAPE = (1, 4, 64, 64)
TIMES = [0.95 * (1 - i / COUNT) + 0.02 for i in range(COUNT + 1)]
Loop = Callable[[], Any]

PRESETS: dict[str, Sampler] = {
    "DDIM": sampler.DDIM(),
    "Euler": sampler.Euler(),
    "LMS": sampler.LMS(),
    "DEIS": sampler.DEIS(),
    "DPMSolverPP": sampler.DPMSolverPP(),
    "DPMSolverPP3M": sampler.DPMSolverPP3M(),
    "RES": sampler.RES(),
    "UniPC": sampler.UniPC(),
    "FlowAdams": sampler.FlowAdams(),
    "Adams(order=2)": sampler.Adams(order=2),
    "Adams()": sampler.Adams(),
    'Adams("F", "angle")': sampler.Adams("F", "angle"),
    "Midpoint, a call": sampler.Midpoint(),
    "Heun, a call": sampler.Heun(),
    "DPMSolverPP2S, a call": sampler.DPMSolverPP2S(),
    "RES3S, a call": sampler.RES3S(),
    "RK4, a call": sampler.RK4(),
}
PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    "DDIM": ("DDIM", {"clip_sample": False}),
    "EulerDiscrete": ("EulerDiscrete", {}),
    "DPMSolverMultistep": ("DPMSolverMultistep", {}),
    "UniPCMultistep": ("UniPCMultistep", {}),
    "FlowMatchEuler": ("FlowMatchEulerDiscrete", {}),
    "HeunDiscrete, a call": ("HeunDiscrete", {}),
}


def tensors(count: int) -> list[Tensor]:
    return [torch.randn(SHAPE) for _ in range(count)]


def axpy(calls: int) -> Loop:
    z, h = tensors(2)

    def loop() -> None:
        for _ in range(calls):
            torch.add(z, h, alpha=0.1)

    return loop


def by_hand(sums: list[tuple[bool, int]]) -> Loop:
    """Each a sum c·z + Σ c_j·y_j of so many y, or z + Σ c_j·y_j where it is not scaled."""
    z, *ys = tensors(8)

    def loop() -> None:
        for _ in range(COUNT):
            for scaled, terms in sums:
                total = (z * 0.9).add_(ys[0], alpha=0.1) if scaled else z.add(ys[0], alpha=0.1)
                for y in ys[1:terms]:
                    total.add_(y, alpha=0.1)

    return loop


def sums(one: Any, process: noise.Gaussian) -> list[tuple[bool, int]]:
    """What a step in the middle adds up: whether its z is scaled, and how many others."""
    planner = ORDER_ONE if isinstance(one, sampler.DDIM) else one
    found = []
    for call in planner.plan(process, TIMES)[COUNT // 2].calls:
        found += [*read(call.read), (call.on_z != 1, terms(call.factors))]
    return found


def read(one: Reading) -> list[tuple[bool, int]]:
    """A target is c·z + c·hat, or with one c = 1, or the output itself."""
    on_hat = (one.on_x + one.on_epsilon) * one.scale
    plain = any(abs(c - 1) < 1e-9 for c in (on_hat, one.on_shown * one.scale))
    return [(not plain, 1)] if one.on_shown else []


def terms(factors: tuple[float, ...]) -> int:
    return sum(factor != 0 for factor in factors)


def ours(one: Sampler, process: noise.Gaussian) -> Loop:
    """A trajectory; the plan is remembered from the first time."""
    z, y = torch.randn(SHAPE), torch.zeros(1, dtype=torch.long)
    hat = torch.randn(1, *SHAPE)
    process.prepare(TIMES)

    def loop() -> None:
        for _ in one(process, lambda z, y, t: hat, z, y, TIMES, None):
            pass

    return loop


def theirs(name: str, settings: dict[str, Any]) -> tuple[Loop, int]:
    """`step` for each of its timesteps, from a fresh start; and how many those are."""
    import diffusers

    one = getattr(diffusers, f"{name}Scheduler")(**settings)
    one.set_timesteps(COUNT)
    hat, start = tensors(2)
    one.is_scale_input_called = True  # else it warns

    def loop() -> None:
        one._step_index, one.lower_order_nums = None, 0
        z = start
        for k in one.timesteps:
            z = one.step(hat, k, z, return_dict=False)[0]

    return loop, len(one.timesteps)


def line(name: str, run: Loop, bare: dict[str, Loop], rounds: int) -> str:
    cells = []
    for other in bare.values():
        middle, low, high = ratio(run, other, rounds, 3)
        cells.append(f"{middle:.2f} ({low:.2f} – {high:.2f})")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--only", default="", help="part of a preset's name")
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    processes = {
        "epsilon, cosine": noise.Gaussian("epsilon").bind(schedule.Cosine(1000)),
        "velocity, flow": noise.Gaussian("velocity").bind(schedule.Flow(1000)),
    }
    with torch.no_grad():
        for title, process in processes.items():
            print(f"\n| {title} | / axpy | / sum by hand |\n|---|---|---|")
            for name, one in PRESETS.items():
                if chosen.only not in name:
                    continue
                calls = COUNT * (one.kept if isinstance(one, RungeKutta) else 1)
                bare = {"axpy": axpy(calls), "sum": by_hand(sums(one, process))}
                print(line(name, ours(one, process), bare, chosen.rounds), flush=True)
        print("\n| diffusers | / axpy |\n|---|---|")
        for name, (kind, settings) in PEERS.items():
            if chosen.only not in name:
                continue
            run, calls = theirs(kind, settings)
            print(line(name, run, {"axpy": axpy(calls)}, chosen.rounds), flush=True)


if __name__ == "__main__":
    main()
