"""Grids compared on beds whose ODE is known, and what steps of adaptive length cost.

    python benchmarks/grids.py

First, for each grid, root mean square errors of samplers at 8, 12 and 20 calls, geometric mean of
these and of the beds: here one grid serves for all. Then `Adaptive`: the calls until the last of
128 samples has arrived, by bed, its error, and that of `Adams()` with as many calls.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch

from diffusion import sampler
from diffusion.base import Sampler
from diffusion.grid import Karras, Uniform

sys.path.insert(0, str(Path(__file__).parent))
from beds import PROCESS, SIZE, START, Bed, beds, run
from solvers import mean

CALLS = (8, 12, 20)
HIGH = 80.0
TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4)
SAMPLERS: dict[str, Sampler] = {
    "Adams": sampler.Adams(), "FlowAdams": sampler.FlowAdams(), "DEIS": sampler.DEIS(),
    "DPMSolverPP": sampler.DPMSolverPP(), "UniPC": sampler.UniPC(), "DDIM": sampler.DDIM(),
    "Midpoint": sampler.RungeKutta("midpoint"),
}  # fmt: skip
Grid = Callable[[int], list[float]]
POWERS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
GRIDS: dict[str, Grid] = {
    **{f"u^{p:g}": lambda n, p=p: _even(n, p) for p in POWERS},
    "angle": lambda n: _times(Uniform(n, "angle", high=HIGH)),
    "Karras, to 0.02": lambda n: _times(Karras(n, high=HIGH, low=0.02)),
    "Karras, to 0.004": lambda n: _times(Karras(n, high=HIGH)),
    "log-SNR, to 0.02": lambda n: _times(Uniform(n, "log_snr", high=HIGH, low=0.02)),
    "log-SNR, to 0.004": lambda n: _times(Uniform(n, "log_snr", high=HIGH, low=0.004)),
}


def _even(steps: int, power: float) -> list[float]:
    return [START * (1 - i / steps) ** power for i in range(steps + 1)]


def _times(grid: Uniform) -> list[float]:
    return grid.times(PROCESS.clock, True)


def compared(every: dict[str, Bed]) -> None:
    """Every grid for every sampler, and how far it is from the best."""
    table = {
        grid: [
            mean([
                run(bed, one, make(c // (1 + (name == "Midpoint"))), 0)
                for c in CALLS for bed in every.values()
            ])
            for name, one in SAMPLERS.items()
        ]
        for grid, make in GRIDS.items()
    }  # fmt: skip
    best = [min(column) for column in zip(*table.values(), strict=True)]
    print(f"| even steps of | {' | '.join(SAMPLERS)} | over the best |\n|---|{'---|' * 8}")
    for grid, row in table.items():
        worse = mean([value / least for value, least in zip(row, best, strict=True)])
        print(f"| {grid} | {' | '.join(f'{v:.4f}' for v in row)} | {worse:.2f} |")


def adaptive(every: dict[str, Bed]) -> None:
    """Calls and errors by tolerance."""
    print(f"\n| tolerance | {' | '.join(every)} | error | Adams() |\n|---|{'---|' * 7}")
    for tolerance in TOLERANCES:
        one = sampler.Adaptive(tolerance, tolerance)
        calls, errors, theirs = [], [], []
        for bed in every.values():
            count, error = _counted(bed, one)
            calls.append(count)
            errors.append(error)
            theirs.append(run(bed, sampler.Adams(), _even(count, 1.5), 0))
        cells = " | ".join(map(str, calls))
        print(f"| {tolerance:g} | {cells} | {mean(errors):.5f} | {mean(theirs):.5f} |")


def _counted(bed: Bed, one: Sampler) -> tuple[int, float]:
    """Network calls, and the error."""
    count, predict = 0, bed.mixture.oracle(PROCESS)

    def counting(z: object, y: object, t: object) -> object:
        nonlocal count
        count += 1
        return predict(z, y, t)

    *_, end = one(PROCESS, counting, bed.starts[0], torch.zeros(SIZE).long(), [START, 0.0], None)
    return count, bed.error(end, 0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = beds()
    compared(found)
    adaptive(found)
