"""The demonstration: a model of real handwritten digits, trained, sampled and measured in minutes.

    python -m diffusion.demo

Scikit-learn's 1,797 digits (8×8 pixels of 17 greys) are split once and for all: 400, forty of each
class, are held out; neither the diffusion model nor the judge that measures it is trained on them.
Accuracy is about 1,000 samples, 100 of each class. The Fréchet distances compare 400 pictures with
the 400 held out: as many samples, and beside them as many training pictures, class by class, since
the estimate depends on how many there are.
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from .data import Images
from .data.source import Source, digits
from .errors import require
from .guidance import ClassifierFree
from .loss import Simple
from .metric import Judge, Quality, measure
from .model import Model
from .net import UNet
from .noise import Gaussian
from .picture import animation, curve, grid
from .picture.curve import drawing
from .rng import kept, scope
from .sampler import DDIM
from .schedule import Flow
from .time import LogitNormal
from .train import AdamW
from .train.loop import step

BATCH = 64
SHARE = 0.6
"""Of the time, for training: the judge, sampling and pictures need the rest."""
OUT = Path("out/demo")
LEVELS = 17
Pair: TypeAlias = tuple[Tensor, Tensor]
PIXELS = Images(levels=LEVELS)
RECIPE = """\
# The model of the demonstration. Replace a module, train it again, and see what changes:
#     diffusion train digits.yaml --set noise.parameter=x
source: digits
data: {{Images: {{batch: 64, shuffle: true, levels: 17}}}}
schedule: {{Flow: {{steps: 20}}}}
noise: {{Gaussian: {{parameter: velocity}}}}
net: {{UNet: {{channels: [1, 32, 64], labels: 10, hidden: 128}}}}
loss: Simple
time: LogitNormal
guidance: {{ClassifierFree: {{dropout: 0.1, strength: 0.1}}}}
sampler: DDIM
optimizer: {{AdamW: {{rate: 0.004, steps: {steps}}}}}
ema: 0.995
clip: 1.0
train: {{epochs: {epochs}}}
"""


@dataclass(frozen=True)
class Plan:
    """How much of everything. `columns`: samples of each class in the pictures."""

    epochs: int = 70
    judge: int | None = None
    samples: int = 1000
    steps: int = 30
    columns: int = 12


FULL = Plan()
QUICK = Plan(epochs=1, judge=1, samples=100, steps=2, columns=3)
"""Everything once, in seconds: to see that it works, not how well."""


def run(out: str | Path = OUT, minutes: float = 3.0, seed: int = 0, plan: Plan = FULL) -> Quality:
    """Train, sample and measure; leave pictures, the model and the numbers in the folder `out`.

    Args:
        minutes: of a CPU core, at most. A slow machine trains for fewer epochs than planned,
            so that it is done in time; on any other the result depends on the seed alone.

    Files: `samples.png`, `denoising.gif`, `loss.png`, `model/`, `quality.json`, and `digits.yaml`,
    the same model for `diffusion train`.
    Errors: scikit-learn or matplotlib is not installed (the extras `digits` and `plot`).
    """
    require(minutes > 0, "demo.minutes", "more than 0", minutes)
    drawing()
    threads = torch.get_num_threads()
    # Small pictures gain little from a second thread, and lose much where its core is busy.
    torch.set_num_threads(1)
    try:
        return _run(Path(out), 60 * minutes, seed, plan)
    finally:
        torch.set_num_threads(threads)


def _run(out: Path, seconds: float, seed: int, plan: Plan) -> Quality:
    clock, data = _Clock(), digits()
    out.mkdir(parents=True, exist_ok=True)
    clock.say(
        f"Data    {len(data.w):,} handwritten digits of 8×8 pixels to train on, "
        f"{len(_parts(data)[1][0]):,} more held out."
    )
    epochs = _affordable(data, plan.epochs, SHARE * seconds, clock)
    with scope(seed):  # of the network's first weights
        model = assemble(data, epochs, seed)
    (out / "digits.yaml").write_text(RECIPE.format(epochs=epochs, steps=model.optimizer.steps))
    _train(model, epochs, out, clock)
    _pictures(model, data, plan, seed, out, clock)
    quality = _measure(model, data, plan, seed, clock)
    numbers = {**quality.plain(), "epochs": epochs, "seed": seed}
    text = json.dumps({**numbers, "seconds": round(clock.seconds, 1)}, indent=2)
    (out / "quality.json").write_text(text + "\n", encoding="utf-8")
    print(f"\n{quality}\n\n{_next(out, clock.seconds)}", flush=True)
    return quality


def assemble(data: Source, epochs: int = FULL.epochs, seed: int = 0) -> Model[Any]:
    """Flow matching with a small U-Net, conditional on the digit: the demo's table of contents."""
    batches = -(len(data.w) // -BATCH)
    return Model(
        data=Images(data.w, data.y, BATCH, shuffle=True, names=data.names, levels=LEVELS),
        # Greys are 1/8 apart: times before 1/20 would only tell of rounding.
        schedule=Flow(steps=20),
        noise=Gaussian(parameter="velocity"),
        net=UNet(channels=(1, 32, 64), labels=len(data.names), hidden=128),
        loss=Simple(),
        time=LogitNormal(),
        guidance=ClassifierFree(dropout=0.1, strength=0.1),
        sampler=DDIM(),
        optimizer=AdamW(rate=4e-3, steps=epochs * batches),
        ema=0.995,
        clip=1.0,
        seed=seed,
    )


def _affordable(data: Source, epochs: int, seconds: float, clock: _Clock) -> int:
    """As many of the epochs as fit into the time, by the speed of a throwaway model."""
    index, throwaway, count = torch.arange(BATCH), assemble(data, epochs), 7
    with kept():
        for _ in range(3):
            step(throwaway, index)
        moments = [time.perf_counter()]
        for _ in range(count):
            step(throwaway, index)
            moments.append(time.perf_counter())
    each = statistics.median(b - a for a, b in pairwise(moments))
    epoch = each * -(len(data.w) // -BATCH)
    fits = max(1, min(epochs, int(seconds / epoch)))
    if fits < epochs:
        clock.say(f"        This machine is slow: {fits} epochs, not {epochs}, to be in time.")
    return fits


def _train(model: Model[Any], epochs: int, out: Path, clock: _Clock) -> None:
    size = sum(p.numel() for p in model.trainable())
    clock.say(f"Train   a U-Net of {size:,} weights for {epochs} epochs.")
    losses = list(model.train(epochs, progress=True))
    model.save(out / "model")
    curve(model.run.history, out / "loss.png", "Flow matching on handwritten digits")
    clock.say(f"        Loss {losses[0]:.3f} at first, {losses[-1]:.3f} at last.")


def _pictures(
    model: Model[Any], data: Source, plan: Plan, seed: int, out: Path, clock: _Clock
) -> None:
    """One row of samples for each class, and how they came out of noise."""
    clock.say(f"Sample  {plan.columns} of each digit, for the pictures.")
    y = _classes(data, plan.columns)
    states = model.sample(y=y, steps=plan.steps, seed=seed, trajectory=True, progress=True)
    frames = []
    for i, state in enumerate(states):
        title = f"t = {1 - i / plan.steps:.2f}"
        shown = PIXELS.pictures(state)
        frames.append(grid(shown, plan.columns, data.names, title=title))
    grid(PIXELS.pictures(states[-1]), plan.columns, data.names).save(out / "samples.png")
    animation(frames, out / "denoising.gif")


def _measure(model: Model[Any], data: Source, plan: Plan, seed: int, clock: _Clock) -> Quality:
    clock.say("Judge   a classifier, trained on the real digits, that will read the samples.")
    train, held = _parts(data)
    judge = Judge.fit(*train, len(data.names), seed, plan.judge, progress=True)
    clock.say(f"Measure {plan.samples:,} fresh samples.")
    y = _classes(data, plan.samples // len(data.names))
    w = model.sample(y=y, steps=plan.steps, seed=seed + 1, progress=True)
    return measure(judge, w, y, held, train)


def _parts(data: Source) -> tuple[Pair, Pair]:
    """Pictures and labels: those to train on, and those held out."""
    w, y, held = (torch.as_tensor(part) for part in (data.w, data.y, data.w_test))
    return (w, y), (held, torch.as_tensor(data.y_test))


def _classes(data: Source, each: int) -> Tensor:
    return (torch.arange(len(data.names)) + 1).repeat_interleave(each)


def _next(out: Path, seconds: float) -> str:
    return (
        f"Done in {seconds:.0f} s. Look at samples.png and denoising.gif in {out}. Next:\n"
        f"  diffusion sample {out / 'model'} --label 3 -n 16 -o threes.png\n"
        f"  diffusion info {out / 'model'}\n"
        f"  diffusion evaluate {out / 'model'} --source digits\n"
        f"  diffusion train {out / 'digits.yaml'} --set noise.parameter=x"
    )


class _Clock:
    """Plain messages with the seconds since the start."""

    def __init__(self) -> None:
        self.begin = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.begin

    def say(self, text: str) -> None:
        print(f"{self.seconds:5.0f} s  {text}", flush=True)


if __name__ == "__main__":
    run()
