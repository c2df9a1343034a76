"""What pipelines of blocks add to the modules that they run, per denoising step.

    python benchmarks/blocks.py [--rounds 40] [--steps 50]

By hand: the model's sampler in a plain loop over the bare network, then `decode`. Then the same as
`Pipeline(denoise=Denoise(model), decode=Decode(model))`, without blocks between the steps and with
two that look. Beside them Diffusers' classic `DDIMPipeline`, and a modular pipeline of its blocks,
over its own scheduler in a plain loop. Networks: the demo's, and one that costs nothing. Rounds
alternate in one process on one thread; numbers are medians of CPU time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Annotated, Any

import torch
from block_peers import theirs
from torch import Tensor

from diffusion import Model, data, noise, rng, schedule
from diffusion.base import Net
from diffusion.block import Block, Decode, Denoise, Pipeline
from diffusion.data.source import Source
from diffusion.demo import assemble
from diffusion.distribution.draw import draw
from diffusion.sampler import DDIM
from diffusion.sampling import grid

Call = Callable[[], object]


class Stub(Net):
    """What was given, as a prediction."""

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return x[None]


class Look(Block):
    def __call__(self, step: int, steps: int) -> Annotated[float, "share"]:
        return step / steps


class Glance(Block):
    def __call__(self, state: Annotated[Tensor, "b c h w"]) -> Annotated[int, "count"]:
        return state.shape[0]


def demo() -> Model[Any]:
    """The demo's network and modules, untrained."""
    w, y = torch.rand(64, 1, 8, 8), torch.randint(0, 10, (64,))
    names = tuple("0123456789")
    model = assemble(Source(w.numpy(), y.numpy(), w.numpy(), y.numpy(), names))
    return model.replace(guidance=None, ema=None)


def stub() -> Model[Any]:
    return Model(
        data.Images(), schedule.Cosine(1000), noise.Gaussian(), Stub(), shape=(1, 8, 8)
    )  # fmt: skip


def by_hand(model: Model[Any], batch: int, steps: int) -> Call:
    """A loop over the model's sampler: what one writes without pipelines."""
    one = DDIM()

    def call() -> object:
        times = grid(model, steps, one)
        bound = model.bind(times=times)
        bound.prepare(times)
        draws = rng.samples(0, batch)
        z: Any = model.cast(draw(bound.pure((batch, *model.shape), times[0]), draws)[0])
        y = torch.zeros(batch, dtype=torch.long)
        rows = {t: torch.full((batch,), t) for t in times}
        network = model.net.eval()

        def predict(z: Any, y: Any, t: Any) -> Any:
            return network(bound.inputs(z, t), y, rows[t])

        with torch.no_grad():
            *_, end = one(bound, predict, z, y, times, draws)
            return model.data.decode(end)

    return call


def piped(model: Model[Any], batch: int, steps: int, each: dict[str, Block]) -> Call:
    denoise = Denoise(model, steps, DDIM(), each=each)
    pipe = Pipeline(denoise=denoise, decode=Decode(model))
    return lambda: pipe(batch=batch, seed=0)


def seconds(calls: dict[str, Call], rounds: int) -> dict[str, list[float]]:
    """CPU times of each, one after the other, round by round."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(rounds + 2):
        order = list(calls) if index % 2 else list(reversed(calls))
        for name in order:
            begun = time.process_time()
            calls[name]()
            if index >= 2:
                found[name].append(time.process_time() - begun)
    return found


def table(title: str, calls: dict[str, Call], rounds: int, steps: int) -> None:
    found = seconds(calls, rounds)
    first = next(iter(found))
    for name, values in found.items():
        over = [a - b for a, b in zip(values, found[first], strict=True)]
        ratio = statistics.median(a / b for a, b in zip(values, found[first], strict=True))
        each = statistics.median(values) / steps * 1e6
        print(f"| {title} | {name} | {each:.1f} | {statistics.median(over) / steps * 1e6:+.1f} "
              f"| {ratio:.3f} |", flush=True)  # fmt: skip


def composing(count: int = 50) -> float:
    """Milliseconds to compose so many blocks with shapes."""

    class Pass(Block):
        def __call__(
            self, image: Annotated[Tensor, "b c h w"], mask: Annotated[Tensor, "b 1 h w"]
        ) -> Annotated[Tensor, "image: b c h w"]:
            return image

    blocks: dict[str, Any] = {f"block{i}": Pass() for i in range(count)}
    times = []
    for _ in range(20):
        begun = time.process_time()
        Pipeline(**blocks)
        times.append(time.process_time() - begun)
    return statistics.median(times) * 1e3


def unit() -> float:
    """Microseconds of one product of a tiny tensor: how fast this machine is just now."""
    x = torch.zeros(1, 1, 8, 8)
    begun = time.process_time()
    for _ in range(20_000):
        x * 2
    return (time.process_time() - begun) / 20_000 * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--steps", type=int, default=50)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"The product of a tiny tensor takes {unit():.2f} µs.\n")
    print("| network | run | µs a step | over by hand, µs a step | ratio |\n|---|---|---|---|---|")
    looks: dict[str, Block] = {"look": Look(), "glance": Glance()}
    for title, model, batch, rounds in (("demo net, batch 16", demo(), 16, asked.rounds // 2),
                                        ("stub net", stub(), 1, asked.rounds)):  # fmt: skip
        table(title, {
            "by hand": by_hand(model, batch, asked.steps),
            "Pipeline": piped(model, batch, asked.steps, {}),
            "Pipeline, 2 blocks a step": piped(model, batch, asked.steps, looks),
        }, rounds, asked.steps)  # fmt: skip
    table("stub net, Diffusers", theirs(asked.steps), asked.rounds, asked.steps)
    print(f"\nComposing 50 blocks: {composing():.2f} ms (goal < 50 ms).")


if __name__ == "__main__":
    main()
