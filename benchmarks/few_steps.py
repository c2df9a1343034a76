"""Few steps by training: every method at 1, 2 and 4 network calls, beside its teacher at 20.

    python benchmarks/few_steps.py             # a mixture on the line, whose flow map is known
    python benchmarks/few_steps.py --digits    # the digits of `diffusion.demo`

On the line the figure is the Wasserstein-2 distance of 20,000 samples to the law of the data, by
their quantiles, as a share of the data's deviation. On the digits it is the Fréchet distance of 400
samples to as many held-out pictures in a judge's features, over that of as many training pictures,
and the share of 1,000 samples that the judge reads as the digit they were asked for. One thread.
"""

import argparse
import time as clock
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from diffusion import (
    Model,
    data,
    demo,
    distil,
    loss,
    net,
    noise,
    rng,
    sampler,
    schedule,
    time,
    train,
)
from diffusion.base import Loss, Net
from diffusion.data.source import digits
from diffusion.exact import Mixture
from diffusion.metric import Judge, measure

CALLS = (1, 2, 4)
DRAWS = 20_000
LEVELS: dict[int, list[float]] = {
    1: [1.0, 0.0], 2: [1.0, 0.5, 0.0], 4: [1.0, 0.75, 0.5, 0.25, 0.0],
}  # fmt: skip
LINE = Mixture(
    torch.tensor([0.3, 0.5, 0.2]),
    torch.tensor([[-1.0], [0.4], [1.2]]),
    torch.tensor([0.15, 0.3, 0.2]),
)
Judged: TypeAlias = Callable[[Model[Any], Any], str]
"""The figure of a model's samples at a number of steps, or at given times."""


def row(name: str, cells: Sequence[str], seconds: float) -> None:
    """Print a line of the table."""
    cells = [*cells, *[""] * (len(CALLS) - len(cells))]
    print(f"| {name} | {' | '.join(cells)} | {seconds:.0f} s |", flush=True)


def trained(model: Model[Any], steps: int) -> float:
    """Train for a number of steps; the seconds it took."""
    begun = clock.perf_counter()
    each = -(len(model.data) // -model.data.batch)
    for _ in model.train(max(1, round(steps / each))):
        pass
    return clock.perf_counter() - begun


def compare(
    teacher: Model[Any], fresh: Callable[[], Net], judged: Judged, steps: int, huber: float
) -> None:
    """Train every method for `steps` steps, and print what it reaches."""
    print(f"\n| | {' | '.join(f'calls: {n}' for n in CALLS)} | training |\n|---|---|---|---|---|")
    seconds = trained(teacher, steps)
    for one in (sampler.DDIM(), sampler.Adams()):
        fast = teacher.replace(sampler=one)
        row(f"teacher, {one!r}", [judged(fast, n) for n in CALLS], seconds)
        row("the same at 20 calls", [judged(fast, 20)], 0)
    rate = teacher.optimizer.vary(steps=steps)
    slow = train.AdamW(rate.rate / 4, betas=(0.0, 0.99), steps=steps)

    def student(one: Loss[Any], steps_by: Any, optimizer: Any = rate, **modules: Any) -> Model[Any]:
        return distil.student(
            teacher,
            loss=one,
            sampler=steps_by,
            optimizer=optimizer,
            time=time.Continuous(),
            **modules,
        )

    def alone(one: Loss[Any], steps_by: Any) -> Model[Any]:
        return student(one, steps_by, net=net.Span(fresh()))

    from_data = loss.Consistency(None, (10, 160), steps, huber)
    taught = loss.Consistency(teacher, (10, 80), steps, huber)
    power = 0.0 if huber > 0.05 else 1.0
    match = distil.Match(teacher, None, 2, power, times=(1.0, 0.75, 0.5, 0.25))
    runs: list[tuple[str, Model[Any]]] = [
        ("consistency from data", alone(from_data, sampler.Consistency())),
        ("mean flow from data", alone(loss.MeanFlow(0.5, power), sampler.Jump())),
        ("consistency distillation", student(taught, sampler.Consistency())),
        ("distribution matching", student(match, sampler.Consistency(), slow)),
    ]
    for name, model in runs:
        seconds = trained(model, steps)
        row(name, [judged(model, LEVELS[n]) for n in CALLS], seconds)
    halved(teacher, (16, 8, 4, 2, 1), steps // 3, judged)


def halved(teacher: Model[Any], counts: tuple[int, ...], steps: int, judged: Judged) -> None:
    """Progressive distillation, a round for each number of steps."""
    found, seconds = {}, 0.0
    for count in counts:
        rounds = distil.Progressive(teacher, count)
        teacher = distil.student(
            teacher, loss=rounds, sampler=sampler.DDIM(), time=time.Continuous(),
            optimizer=teacher.optimizer.vary(steps=steps),
        )  # fmt: skip
        seconds += trained(teacher, steps)
        if count in CALLS:
            found[count] = judged(teacher, count)
    row("progressive, 5 rounds", [found[n] for n in CALLS], seconds)


def on_line(steps: int) -> None:
    """A small network on the line."""
    w, _ = LINE.sample(1 << 16, rng.generator(0))
    ranks = (torch.arange(DRAWS, dtype=torch.float64) + 0.5) / DRAWS
    exact = LINE.flow(torch.special.ndtri(ranks)[:, None], (0.0, 1.0)).flatten()
    deviation = float(LINE.moments()[1]) ** 0.5

    def distance(w: Tensor) -> str:
        gap = w.double().flatten().sort().values - exact
        return f"{float(gap.square().mean().sqrt()) / deviation:.3f}"

    def fresh() -> Net:
        torch.manual_seed(0)
        return net.MLP(1, hidden=64, depth=3)

    teacher: Model[Any] = Model(
        data.Identity(w, batch=512, shuffle=True), schedule.Flow(1000), noise.Gaussian("velocity"),
        fresh(), loss.Simple(), time.Continuous(), sampler=sampler.DDIM(),
        optimizer=train.AdamW(2e-3, steps=steps), ema=0.995,
    )  # fmt: skip
    print(f"20,000 draws of the law itself: {distance(LINE.sample(DRAWS, rng.generator(5))[0])}")
    compare(teacher, fresh, lambda m, n: distance(m.sample(batch=DRAWS, steps=n, seed=1)), steps, 1)


def on_digits(steps: int) -> None:
    """The U-Net of the demonstration on real digits."""
    source = digits()
    training, held = ((torch.as_tensor(w), torch.as_tensor(y)) for w, y in (
        (source.w, source.y), (source.w_test, source.y_test)))  # fmt: skip
    judge = Judge.fit(*training, len(source.names), 0)
    y = (torch.arange(len(source.names)) + 1).repeat_interleave(100)

    def quality(model: Model[Any], n: Any) -> str:
        found = measure(judge, model.sample(y=y, steps=n, seed=1), y, held, training)
        return f"{found.ratio:.2f} ({found.accuracy:.1%})"

    def fresh() -> Net:
        torch.manual_seed(0)
        return net.UNet(channels=(1, 32, 64), labels=len(source.names), hidden=128)

    torch.manual_seed(0)
    teacher = demo.assemble(source, round(steps / 22))
    compare(teacher, fresh, quality, steps, 0.03)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", action="store_true", help="the digits instead of the line")
    parser.add_argument("--steps", type=int, default=0, help="of training; 0 for the default")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.digits:
        on_digits(given.steps or 1540)
    else:
        on_line(given.steps or 2000)
