"""A noise schedule made for the data, given to a network that was trained under another one.

    python examples/scans.py                # trains, samples, measures, writes out/scans/
    python examples/scans.py --quick        # the same in seconds, on 160 slices
    python examples/scans.py --folder DIR   # stop with Ctrl-C; the same command continues

Slices of a brain (`sources.mri`): 32×32 pixels, most of them black, the others in half of the range
of grey. A small U-Net is trained as in Ho et al. 2020, under the linear schedule of betas. It is
then sampled under others, without any training: `net.Retimed` tells it the times that it knows, and
`compare` swaps the schedules in a pipeline. `schedule.Spectral` is made of the variances of the
slices along their principal axes, and ends at the noise that the training ended at.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor

from diffusion import Model, data, loss, net, noise, sampler, schedule, train
from diffusion.base import Schedule
from diffusion.block import Block, Decode, Denoise, Pipeline
from diffusion.block.compare import Comparison, compare
from sources import Slices, mri

OUT = Path("out/scans")
STEPS = (5, 10, 20, 50)
BATCH = 16


class Window(Block):
    """Grey values from `low` to `high` as black to white, as scans are looked at."""

    low: int = 0
    high: int = 130

    def __call__(self, image: Annotated[Tensor, "b c h w"]) -> Annotated[Tensor, "image: b c h w"]:
        share = (image.float() - self.low) / (self.high - self.low)
        return (255 * share).round().clamp(0, 255).to(torch.uint8)


def build(slices: Slices, epochs: int, quick: bool = False) -> Model:
    """A U-Net that learns v, under the schedule that most such models are trained with."""
    return Model(
        data=data.Images(slices.images, batch=BATCH, shuffle=True),
        schedule=schedule.Linear(1000, 0.9999, 0.98),
        noise=noise.Gaussian("v"),
        net=net.UNet((1, 8, 16) if quick else (1, 16, 32, 64), hidden=32 if quick else 96),
        loss=loss.Simple(),
        sampler=sampler.DDIM(),
        optimizer=train.AdamW(2e-3, steps=epochs * len(slices.images) // BATCH),
        ema=0.9 if quick else 0.995,
        clip=1.0,
    )


def free(model: Model) -> Model:
    """The trained model, ready for any schedule: x is what it predicts, at unit power of z."""
    return model.replace(net=net.Retimed.of(model), noise=noise.Gaussian("x", path="vp"), ema=None)


def schedules(model: Model, images: Tensor) -> dict[str, Schedule]:
    """That of the training, two others that are in use, and two that are made for the slices."""
    x = model.encode(images)
    pixel = float((x - x.mean(0)).square().mean().sqrt())
    signal, sigma = model.process.clock(model.schedule.steps)
    return {
        "linear (trained)": model.schedule,
        "cosine": schedule.Cosine(1000),
        "Karras": schedule.Karras(),
        "cosine for a pixel": schedule.Scaled(schedule.Cosine(1000), pixel),
        "spectrum of slices": schedule.Spectral.of(x, high=sigma / signal),
    }


def errors(
    made: Comparison, goal: Tensor, real: Tensor
) -> tuple[dict[str, dict[int, float]], dict[str, dict[int, float]]]:
    """By schedule and steps, in grey values: how far samples are from where the model's own fine
    trajectory ends, and how far from the nearest real slice."""
    off: dict[str, dict[int, float]] = {}
    near: dict[str, dict[int, float]] = {}
    for row in made.rows:
        name, steps = row.names["model.schedule"], row.chosen["steps"]
        x = row.outputs["latents"]
        off.setdefault(name, {})[steps] = 127.5 * float((x - goal).square().mean().sqrt())
        near.setdefault(name, {})[steps] = nearest(x, real)
    return off, near


def nearest(x: Tensor, real: Tensor) -> float:
    """The mean distance of items `[n, ...]` to the nearest of `real`: root mean squares, in greys.

    Both are encoded.
    """
    gaps = torch.cdist(x.flatten(1), real.flatten(1)).amin(1)
    return 127.5 * float(gaps.mean()) / x[0].numel() ** 0.5


def table(title: str, found: Mapping[str, Mapping[int, float]]) -> str:
    """Lines for people."""
    counts = [*next(iter(found.values()))]
    lines = [f"{title:30}" + "".join(f"{count:>8}" for count in counts)]
    lines += [
        f"{name:30}" + "".join(f"{v:8.2f}" for v in row.values()) for name, row in found.items()
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tiny network on 160 slices")
    parser.add_argument("--folder", help="checkpoints, default runs/scans")
    options = parser.parse_args(argv)
    slices, epochs = mri(options.quick), 2 if options.quick else 16
    folder = options.folder or ("runs/scans-quick" if options.quick else "runs/scans")
    count, fine, steps = (2, 4, (2, 3)) if options.quick else (32, 100, STEPS)

    torch.manual_seed(0)
    model = build(slices, epochs, options.quick)
    for mean in model.train(epochs, folder=folder, every=60, progress=True):
        print(f"mean loss {mean:.4f}")
    model.save(OUT / "model")

    other, choices = free(model), schedules(model, slices.images)
    (*_, goal) = model.stream(batch=count, steps=fine, sampler=sampler.Adams(), seed=0)
    choice = {"model.schedule": choices, "steps": steps}
    with torch.no_grad():
        real, held = (model.encode(w) for w in (slices.images, slices.test_images))
        off, near = errors(compare(Denoise(other), choice, batch=count, seed=0), goal, real)
    result = {
        "loss": [epoch["loss"] for epoch in model.run.history],
        "error": off,
        "nearest": near,
        "nearest of its own end": nearest(goal, real),
        "nearest of held-out slices": nearest(held, real),
    }
    pipe = Pipeline(denoise=Denoise(other), decode=Decode(other), window=Window())
    shown = {f"denoise.{path}": values for path, values in choice.items()}
    compare(pipe, shown, batch=4, seed=0).save(OUT / "samples.png")
    (OUT / "result.json").write_text(json.dumps(result, indent=2))
    print(
        table("error in grey values, steps:", off),
        table("to the nearest real slice:", near),
        sep="\n",
    )
    return result


if __name__ == "__main__":
    main()
