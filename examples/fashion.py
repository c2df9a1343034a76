"""Class-conditional pictures of clothes: Fashion-MNIST, 28×28, by flow matching.

    python examples/fashion.py                # trains, samples, measures, writes out/fashion/
    python examples/fashion.py --quick        # the same in seconds, on 640 pictures
    python examples/fashion.py --folder DIR   # stop with Ctrl-C; the same command continues

Measured 2026-11 on one of 2 CPU cores, the other busy, one run with the first command: one pass
over the 60,000 pictures, the judge, 1,000 samples of 20 steps and the bound in just under 10
CPU-minutes together. A judge trained on the real pictures reads .905 of the samples as their class,
at Fréchet distance 1.56 from test pictures in its features; a Gaussian for each class .914 and
12.53; real test pictures are read right for .882, real training pictures are at 0.47. Bound: 5.74
bits per pixel over 100 test pictures. See docs/examples/fashion.md.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusion import (
    Model,
    data,
    guidance,
    loss,
    net,
    noise,
    picture,
    sampler,
    schedule,
    time,
    train,
)
from diffusion.metric import Judge, measure
from sources import Fashion, fashion

OUT = Path("out/fashion")


def build(clothes: Fashion, epochs: int, quick: bool = False) -> Model:
    """A U-Net that learns the velocity of straight paths from pictures to noise."""
    batch = 32
    return Model(
        data=data.Images(
            clothes.images, clothes.labels, batch=batch, shuffle=True, names=clothes.names
        ),
        schedule=schedule.Flow(),
        noise=noise.Gaussian("velocity"),
        net=net.UNet(
            (1, 8, 8, 16) if quick else (1, 32, 64, 96), labels=10, hidden=32 if quick else 128
        ),
        loss=loss.Simple(),
        time=time.LogitNormal(),
        guidance=guidance.ClassifierFree(dropout=0.1, strength=0.25),
        sampler=sampler.DDIM(),
        optimizer=train.AdamW(2e-3, steps=epochs * len(clothes.images) // batch),
        ema=0.9 if quick else 0.995,
        clip=1.0,
    )


def draw(model: Model, y: Tensor, steps: int) -> Tensor:
    """A picture for each class id, a hundred at a time."""
    parts = [
        model.sample(ids, steps=steps, seed=i, progress=True) for i, ids in enumerate(y.split(100))
    ]
    return torch.cat(parts)


def gaussians(w: Tensor, y: Tensor, each: int) -> Tensor:
    """The baseline: `each` draws from a Gaussian fitted to the pixels of every class."""
    generator, drawn = torch.Generator().manual_seed(0), []
    for label in range(1, 11):
        pixels = w[y == label].flatten(1).double()
        values, vectors = torch.linalg.eigh(pixels.T.cov())
        normal = torch.randn(each, len(values), generator=generator, dtype=torch.float64)
        drawn.append(pixels.mean(0) + normal * values.clamp_min(0).sqrt() @ vectors.T)
    return torch.cat(drawn).clamp(0, 255).reshape(-1, *w.shape[1:])


def evaluate(model: Model, clothes: Fashion, quick: bool) -> tuple[dict[str, Any], Tensor]:
    """Fréchet distances and accuracies, the bound on a part of the test set, and the samples."""
    each, steps = (10, 4) if quick else (100, 20)
    train_set, held = (clothes.images, clothes.labels), (clothes.test_images, clothes.test_labels)
    judge = Judge.fit(*train_set, classes=10, epochs=2 if quick else 1, progress=True)
    y = torch.arange(1, 11).repeat_interleave(each)
    with torch.autocast("cpu", torch.bfloat16):  # twice as fast where the processor has it
        samples = draw(model, y, steps)
    found = {
        "samples": measure(judge, samples, y, held, train_set).plain(),
        "gaussians": measure(judge, gaussians(*train_set, each), y, held, train_set).plain(),
    }
    part = slice(0, 10 if quick else 100)
    with torch.autocast("cpu", torch.bfloat16):
        bits = model.nll(held[0][part], held[1][part], steps=10 if quick else 200)
    found["bound"] = {
        "bits_per_pixel": float(bits.mean()),
        "standard_error": float(bits.std() / len(bits) ** 0.5),
        "pictures": len(bits),
    }
    return found, samples


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tiny network on 640 pictures")
    parser.add_argument("--folder", help="checkpoints, default runs/fashion")
    options = parser.parse_args(argv)
    clothes, epochs = fashion(options.quick), 2 if options.quick else 1
    folder = options.folder or ("runs/fashion-quick" if options.quick else "runs/fashion")

    torch.manual_seed(0)
    model = build(clothes, epochs, options.quick)
    for mean in model.train(epochs, folder=folder, every=60, progress=True):
        print(f"mean loss {mean:.4f}")
    model.save(OUT / "model")

    result, samples = evaluate(model, clothes, options.quick)
    result["loss"] = [epoch["loss"] for epoch in model.run.history]
    table = samples.reshape(10, -1, *samples.shape[1:])[:, :10].flatten(0, 1)
    picture.grid(table, columns=10, labels=clothes.names).save(OUT / "samples.png")
    (OUT / "result.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    main()
