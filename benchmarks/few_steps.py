"""Few steps by training: every method at 1, 2 and 4 network calls, beside its teacher at 20.

    python benchmarks/few_steps.py             # a mixture on the line, whose flow map is known
    python benchmarks/few_steps.py --digits    # the digits of `diffusion.demo`

On the line the figure is the Wasserstein-2 distance of 20,000 samples to the law of the data, by
their quantiles, as a share of the data's deviation; beside it what as many draws of the law itself
are at. On the digits it is the Fréchet distance in a judge's features over that of real pictures.
"""

import argparse
import copy
import time as clock
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import diffusion
from diffusion import data, demo, distil, loss, net, noise, rng, sampler, schedule, time, train
from diffusion.exact import Mixture
from diffusion.metric import Judge, measure

CALLS = (1, 2, 4)
LINE = Mixture(
    torch.tensor([0.3, 0.5, 0.2]), torch.tensor([[-1.0], [0.4], [1.2]]), torch.tensor([0.15, 0.3, 0.2])
)
DRAWS = 20_000


def table(rows: list[tuple[str, list[float], float]], what: str) -> None:
    """Print the figures, a method a line."""
    print(f"\n| {what} | {' | '.join(f'{n} call' + 's' * (n > 1) for n in CALLS)} | training |")
    print("|---" * (len(CALLS) + 2) + "|")
    for name, values, seconds in rows:
        cells = [f"{value:.3f}" for value in values] + [""] * (len(CALLS) - len(values))
        print(f"| {name} | {' | '.join(cells)} | {seconds:.0f} s |", flush=True)


def trained(model: diffusion.Model[Any], steps: int) -> float:
    """Train for a number of steps; the seconds it took."""
    begun = clock.perf_counter()
    each = -(len(model.data.w) // -model.data.batch)
    for _ in model.train(max(1, round(steps / each))):
        pass
    return clock.perf_counter() - begun


def distance(model: diffusion.Model[Any], steps: Any, one: Any = None) -> float:
    """Wasserstein-2 to the law of the line over its deviation, by 20,000 quantiles."""
    w = model.sample(batch=DRAWS, steps=steps, sampler=one, seed=1).double().flatten()
    return to_law(w)


def to_law(w: Tensor) -> float:
    ranks = (torch.arange(DRAWS, dtype=torch.float64) + 0.5) / DRAWS
    normal = torch.special.ndtri(ranks)[:, None]
    exact = LINE.flow(normal, (0.0, 1.0)).flatten()
    deviation = float(LINE.moments()[1]) ** 0.5
    return float((w.sort().values - exact).square().mean().sqrt()) / deviation


def on_line(steps: int) -> None:
    """Every method with the same small network on the line."""
    torch.manual_seed(0)
    w, _ = LINE.sample(1 << 16, rng.generator(0))
    optimizer = train.AdamW(2e-3, steps=steps)

    def model(one: Any, of: net.MLP | net.Span, **own: Any) -> diffusion.Model[Any]:
        return diffusion.Model(
            data.Identity(w, batch=512, shuffle=True), schedule.Flow(1000),
            noise.Gaussian("velocity"), of, one, time.Continuous(),
            **{"optimizer": optimizer, "ema": 0.995, **own},
        )  # fmt: skip

    def fresh() -> net.MLP:
        torch.manual_seed(0)
        return net.MLP(1, hidden=64, depth=3)

    teacher = model(loss.Simple(), fresh(), sampler=sampler.DDIM())
    seconds = trained(teacher, steps)
    rows = [
        (f"teacher at {n}: {one!r}", [distance(teacher, k, one) for k in ks], seconds)
        for n, one, ks in (("1, 2, 4", sampler.DDIM(), CALLS), ("20", sampler.DDIM(), (20,)),
                           ("20", sampler.Adams(), (20,)))
    ]  # fmt: skip
    rows.append(("as many draws", [to_law(LINE.sample(DRAWS, rng.generator(5))[0].double().flatten())], 0))

    def add(name: str, made: diffusion.Model[Any], count: int, grid: Callable[[int], Any]) -> None:
        seconds = trained(made, count)
        rows.append((name, [distance(made, grid(n)) for n in CALLS], seconds))

    free = loss.Consistency(cells=(10, 160), length=steps, huber=1.0)
    add("consistency training", model(free, fresh(), sampler=sampler.Consistency()), steps, int)
    taught = loss.Consistency(teacher, cells=(10, 80), length=steps, huber=1.0)
    add("consistency distillation",
        distil.student(teacher, loss=taught, sampler=sampler.Consistency()), steps, int)  # fmt: skip
    flow = model(loss.MeanFlow(0.5, power=0.0), net.Span(fresh()), sampler=sampler.Jump())
    add("mean flow", flow, steps, int)
    rows.append(halved(teacher, (16, 8, 4, 2, 1), steps // 3, distance))
    match = distil.Match(teacher, every=2, times=(1.0, 0.75, 0.5, 0.25))
    levels = {1: [1.0, 0.0], 2: [1.0, 0.5, 0.0], 4: [1.0, 0.75, 0.5, 0.25, 0.0]}
    slow = train.AdamW(5e-4, betas=(0.0, 0.99), steps=steps)
    add("distribution matching",
        distil.student(teacher, loss=match, sampler=sampler.Consistency(), optimizer=slow),
        steps, levels.__getitem__)  # fmt: skip
    table(rows, "line")


def halved(
    teacher: diffusion.Model[Any], counts: tuple[int, ...], steps: int,
    judged: Callable[[diffusion.Model[Any], int], float],
) -> tuple[str, list[float], float]:  # fmt: skip
    """Progressive distillation, a round for each number of steps."""
    found, seconds = {}, 0.0
    for count in counts:
        rate = copy.copy(teacher.optimizer).vary(steps=steps)
        teacher = distil.student(
            teacher, loss=distil.Progressive(teacher, count), sampler=sampler.DDIM(), optimizer=rate
        )
        seconds += trained(teacher, steps)
        found[count] = judged(teacher, count)
    return "progressive", [found[n] for n in CALLS], seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", action="store_true", help="the digits instead of the line")
    parser.add_argument("--steps", type=int, default=0, help="of training; 0 is the default")
    given = parser.parse_args()
    torch.set_num_threads(1)
    on_line(given.steps or 4000)
