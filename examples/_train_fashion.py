"""Class-conditional Fashion-MNIST by flow matching."""

import argparse
from collections.abc import Sequence

import torch

from diffusion import Model, data, guidance, loss, net, noise, sampler, schedule, time, train
from sources import Fashion, fashion


def build(clothes: Fashion, quick: bool = False) -> Model:
    """A U-Net that learns the velocity from noise to pictures, with the class as condition."""
    batch = 32
    return Model(
        data=data.Images(clothes.images, clothes.labels, batch=batch, shuffle=True, names=clothes.names),
        schedule=schedule.Flow(),
        noise=noise.Gaussian(parameter="velocity"),
        net=net.UNet((1, 8, 16) if quick else (1, 32, 64, 96), labels=10, hidden=32 if quick else 128),
        loss=loss.Simple(),
        time=time.LogitNormal(),
        guidance=guidance.ClassifierFree(dropout=0.1, strength=1.0),
        sampler=sampler.DDIM(),
        optimizer=train.AdamW(2e-3, steps=len(clothes.images) // batch * (3 if quick else 1)),
        ema=0.9 if quick else 0.995,
        clip=1.0,
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", default="runs/fashion")
    options = parser.parse_args(argv)
    model = build(fashion(options.quick), options.quick)
    for value in model.train(3 if options.quick else 1, folder=options.folder, every=60, progress=True):
        print(value)


if __name__ == "__main__":
    import time as clock
    c, w = clock.process_time(), clock.time()
    main()
    print("cpu", clock.process_time() - c, "wall", clock.time() - w)
