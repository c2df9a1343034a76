"""What tracing costs on the network of the demonstration: `python benchmarks/tracing.py`.

The same pipeline runs plain, traced in memory, and traced into a folder, by turns, for batches of
several sizes; what is printed is the median of the ratios of neighbours, and the time of writing
the folder. Processor time, so that what else the machine does counts less.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from diffusion import data, guidance, noise, sampler, schedule
from diffusion import time as times
from diffusion.block import Decode, Denoise, Pipeline
from diffusion.model import Model
from diffusion.net import UNet


def pipeline() -> Pipeline:
    net = UNet((1, 32, 64), labels=10, hidden=128)
    model = Model(
        data.Images(levels=17), schedule.Flow(20), noise.Gaussian("velocity"), net,
        shape=(1, 8, 8), guidance=guidance.ClassifierFree(strength=0.1), sampler=sampler.DDIM(),
        time=times.LogitNormal(),
    )  # fmt: skip
    return Pipeline(denoise=Denoise(model, steps=20), decode=Decode(model))


def spent(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    pipe = pipeline()
    print("| batch | plain | traced in memory | traced into a folder | closing the folder |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for batch in (1, 16, 64):
            inputs = {"conditions": [1 + i % 10 for i in range(batch)], "seed": 0}
            rows = []
            for i in range(rounds):
                folder = Path(name) / f"{batch}-{i}"
                closing = 0.0

                def plain(given: dict = inputs) -> None:
                    pipe(**given)

                def traced(to: Path | None, given: dict = inputs) -> None:
                    nonlocal closing
                    with pipe.trace(to):
                        pipe(**given)
                        closing = time.process_time()
                    closing = time.process_time() - closing

                one = (
                    spent(plain),
                    spent(partial(traced, None)),
                    spent(partial(traced, folder)),
                )
                rows.append((*one, closing))
            off = statistics.median(row[0] for row in rows)
            memory, disk = (statistics.median(row[k] / row[0] - 1 for row in rows) for k in (1, 2))
            close = statistics.median(row[3] for row in rows)
            print(
                f"| {batch} | {1e3 * off:.0f} ms | {100 * memory:+.1f} % | {100 * disk:+.1f} % | "
                f"{1e3 * close:.1f} ms |"
            )


if __name__ == "__main__":
    main()
