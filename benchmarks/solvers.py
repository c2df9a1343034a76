"""Error against network calls on beds whose ODE is known, ours beside other libraries'.

    python benchmarks/solvers.py [--error 0.02]

Every method runs on every grid below; its grid is chosen for each bed and number of calls by the
error from one seed, and the error reported is from another. The last table adds white noise to the
denoiser. Installs k-diffusion, azula and diffusers for itself, in benchmarks/.peers.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from diffusion import sampler
from diffusion.base import Sampler

sys.path.insert(0, str(Path(__file__).parent))
from beds import START, Bed, beds, run
from peers import Peer, installed

CALLS = (5, 8, 12, 20, 32)
MIDDLE = (8, 12, 20)
OURS: dict[str, Sampler] = {
    "Adams (default)": sampler.Adams(),
    "Adams never cautious": sampler.Adams(cautious=1.0),
    "Adams order 2": sampler.Adams(order=2),
    "Adams F, angle": sampler.Adams("F", "angle", cautious=1.0),
    "FlowAdams": sampler.FlowAdams(),
    "DDIM": sampler.DDIM(),
    "Euler": sampler.Euler(),
    "LMS": sampler.LMS(),
    "DEIS": sampler.DEIS(),
    "DPMSolverPP": sampler.DPMSolverPP(),
    "DPMSolverPP 3M": sampler.DPMSolverPP(order=3),
    "RES": sampler.RES(),
    "UniPC": sampler.UniPC(),
    "UniPC 3": sampler.UniPC(order=3, corrector=4),
    "Heun": sampler.Heun(),
    "Midpoint": sampler.RungeKutta("midpoint"),
    "DPMSolverPP2S": sampler.DPMSolverPP2S(),
    "RES2S": sampler.RES2S(),
    "RES3S": sampler.RES3S(),
    "RK4": sampler.RK4(),
    "RungeKutta res_3s": sampler.RungeKutta("res_3s"),
}
STAGES = {
    "Heun": 2, "Midpoint": 2, "DPMSolverPP2S": 2, "RES2S": 2, "RES3S": 3, "RK4": 4,
    "RungeKutta res_3s": 3,
}  # fmt: skip


def grids(steps: int) -> Iterator[list[float]]:
    """Powers of flow time, Karras et al.'s, and even log-SNR, from sigma/signal = 80 to 0."""
    for power in (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0):
        yield [START * (1 - i / steps) ** power for i in range(steps)] + [0.0]
    for rho, low in ((3.0, 0.02), (7.0, 0.02), (7.0, 0.004)):
        roots = [80 ** (1 / rho), low ** (1 / rho)]
        even = [roots[0] + (roots[1] - roots[0]) * i / max(steps - 1, 1) for i in range(steps)]
        yield [v**rho / (1 + v**rho) for v in even] + [0.0]
    for low in (0.05, 0.02, 0.004):
        even = [80 * (low / 80) ** (i / max(steps - 1, 1)) for i in range(steps)]
        yield [v / (1 + v) for v in even] + [0.0]


def best(error: Callable[[list[float], int], float], steps: int) -> float:
    """The error at the grid that another seed prefers."""
    scores = [(error(grid, 0), i) for i, grid in enumerate(grids(steps))]
    finite = [score for score in scores if math.isfinite(score[0])]
    if not finite:
        return math.inf
    chosen = list(grids(steps))[min(finite)[1]]
    return error(chosen, 1)


def of_peer(bed: Bed, peer: Peer) -> Callable[[list[float], int], float]:
    def error(times: list[float], index: int) -> float:
        bed.reseed()
        return bed.error(peer(bed.denoise, bed.starts[index], times), index)

    return error


def mean(values: list[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(math.log(max(v, 1e-12)) for v in values) / len(values))


def table(level: float, peers: dict[str, Peer]) -> dict[str, list[list[float]]]:
    """Errors by method, number of calls and bed."""
    every = list(beds(level).values())
    found: dict[str, list[list[float]]] = {}
    for name in [*OURS, *peers]:
        stages = STAGES.get(name, 1) if name in OURS else vars(peers[name])["calls"]
        found[name] = []
        for calls in CALLS:
            steps = max(calls // stages, 1)
            errors = []
            for bed in every:
                if name in OURS:
                    one = OURS[name]
                    errors.append(best(lambda g, i, b=bed, o=one: run(b, o, g, i), steps))
                else:
                    errors.append(best(of_peer(bed, peers[name]), steps))
            found[name].append(errors)
        print(".", end="", flush=True)
    print()
    return found


def report(found: dict[str, list[list[float]]], title: str) -> None:
    print(f"\n{title}\n")
    head = " | ".join(f"{calls} calls" for calls in CALLS)
    print(f"| method | {head} | 8-20 |\n|---|{'---|' * (len(CALLS) + 1)}")
    middle = [CALLS.index(calls) for calls in MIDDLE]
    order = sorted(found, key=lambda name: mean([mean(found[name][i]) for i in middle]))
    for name in order:
        means = [mean(errors) for errors in found[name]]
        cells = " | ".join(f"{v:.4f}" for v in means)
        print(f"| {name} | {cells} | {mean([means[i] for i in middle]):.4f} |")
    ours = mean([mean(found["Adams (default)"][i]) for i in middle])
    theirs = {n: mean([mean(found[n][i]) for i in middle]) for n in found if n not in OURS}
    first = min(theirs, key=lambda name: theirs[name])
    print(f"\ndefault / best peer ({first}), 8-20 calls: {ours / theirs[first]:.2f}")
    for i, calls in enumerate(CALLS):
        peer = min(theirs, key=lambda name: mean(found[name][i]))
        share = mean(found["Adams (default)"][i]) / mean(found[peer][i])
        print(f"  at {calls} calls / best there ({peer}): {share:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--error", type=float, default=0.02, help="noise added in the last table")
    level = parser.parse_args().error
    torch.set_num_threads(1)
    others = installed()
    report(table(0.0, others), "Exact denoiser: root mean square error, geometric mean of beds")
    report(table(level, others), f"White noise of {level:g} in every denoised x")
