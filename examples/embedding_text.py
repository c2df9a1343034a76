"""The novels of Jane Austen as learned vectors under Gaussian noise.

    python examples/embedding_text.py

Measured 2026-11 on one of 2 CPU cores: 4 CPU-minutes (1,210 steps of 32 windows of 64) give a bound
of 3.24 ± 0.03 bits per character, a little better than a 2-gram (3.305). Short words come out
right; it is not readable text yet, and the absorbing noise of austen.py is well ahead (2.26).

Every character is a vector that is learned with the network; noise is Gaussian, steps are DDIM.
The network names the characters, and its mean of their vectors is the predicted x (Dieleman et
al. 2022, CDCD): a net, a loss and a data module that know of each other only through the batch.
"""

import argparse
import time as clock
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from common import fast, mean, publish
from diffusion import Model, data, loss, net, noise, sampler, schedule, time, train
from diffusion.base import Batch, Loss, Net
from diffusion.distribution import Normal
from sources import austen, novels

K, LENGTH, BATCH = len(novels.SYMBOLS), 64, 32


class Speller(Net):
    """Predicts x as the mean of its vectors under the probabilities of the characters.

    Returns x and the logits as two parameters, `[2, b, l, k]`: vectors have k entries.
    """

    def __init__(self, k: int, width: int, depth: int, heads: int) -> None:
        self.body = net.Transformer(k, width=width, depth=depth, heads=heads, length=LENGTH)
        self.vectors = torch.nn.Parameter(torch.randn(k, k))

    def forward(self, x: Tensor, y: Tensor | None, t: Tensor) -> Tensor:
        logits = self.body(x, y, t)[0].float()
        return torch.stack([logits.softmax(-1) @ self.vectors, logits])


class Spelling(Loss[Normal]):
    """-log p of the characters, in nats: it trains the network, and keeps the vectors apart."""

    def compute(self, batch: Batch[Normal]) -> Tensor:
        logits = batch.hat[1].flatten(0, -2)
        return torch.nn.functional.cross_entropy(logits, batch.w.flatten())


def build(text: Tensor, quick: bool = False, passes: int = 1) -> Model:
    """A model that trains on overlapping windows of the text, so many times over."""
    windows = text.unfold(0, LENGTH, 64 if quick else 90)
    width, depth, heads = (32, 2, 2) if quick else (160, 4, 5)
    steps = passes * -(len(windows) // -BATCH)
    return Model(
        data=data.Embedding(windows, batch=BATCH, shuffle=True, k=K, d=K),
        schedule=schedule.Flow(),
        noise=noise.Gaussian(parameter="x"),
        net=Speller(K, width, depth, heads),
        loss=Spelling() + 0.1 * loss.Simple("x"),
        time=time.LogitNormal(mean=0.5, std=1.0),  # where characters become unsure
        sampler=sampler.DDIM(eta=0.5),
        optimizer=train.AdamW(2.5e-3, betas=(0.9, 0.98), warmup=10 if quick else 100, steps=steps),
        clip=1.0,
    )


def grid(steps: int) -> list[float]:
    """Times from 1 to 0.2, then 0: below 0.2 nothing is left to decide."""
    return [1 - 0.8 * i / steps for i in range(steps + 1)] + [0.0]


def denoising(model: Model, times: list[float]) -> list[str]:
    """One sample on its way from noise to text, each state read as the nearest characters."""
    states = [model.data.decode(z[0]) for z in model.stream(batch=1, steps=times, seed=1)]
    parts = (0, 0.2, 0.3, 0.4, 0.6, 1)
    return [novels.decode(states[round(part * (len(states) - 1))]) for part in parts]


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="seconds, on a small part")
    parser.add_argument("--passes", type=int, help="over the text: 1, in the quick form 3")
    parser.add_argument("--folder", default="runs/embedding_text", help="where to resume from")
    parser.add_argument("--out", default="out/embedding_text", help="where the texts go")
    options = parser.parse_args(argv)
    text, times = austen(options.quick), grid(20 if options.quick else 100)
    torch.manual_seed(0)
    passes = options.passes or (3 if options.quick else 1)
    model, start = build(text.train, options.quick, passes), clock.process_time()
    with fast():
        for _ in model.train(passes, options.folder, every=60, progress=True):
            print(f"epoch {len(model.run.history)}: {model.run.history[-1]}")
        spent = clock.process_time() - start
        with torch.no_grad():  # its own vectors only follow the data's, which it must not see
            model.net.vectors.copy_(model.data.vectors)
        rows = text.test.unfold(0, LENGTH, LENGTH)[: 8 if options.quick else 64]
        bits, error = mean(model.nll(rows, steps=times))
        samples = [novels.decode(row) for row in model.sample(batch=8, steps=times, seed=0)]
        path = denoising(model, times)
    head = f"bound: {bits:.3f} ± {error:.3f} bits per character, {len(rows)} windows"
    lines = [f"{model.run.step} steps, {spent:.0f} CPU-seconds in this session", "", head]
    lines += ["", "samples", *samples]
    publish([*lines, "", "one sample, step by step", *path], Path(options.out, "report.txt"))
    return {"bits": bits, "error": error, "loss": model.run.history[-1]["loss"]}


if __name__ == "__main__":
    main()
