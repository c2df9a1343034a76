"""Handwritten digits whose pixels and label are diffused jointly, by one network.

    python examples/joint_digits.py                # trains, measures, writes out/joint_digits/
    python examples/joint_digits.py --quick        # the same in seconds, with a tiny network
    python examples/joint_digits.py --folder DIR   # stop with Ctrl-C; the same command continues

The pixels follow straight Gaussian paths, the label is masked (absorbing noise). Each has a time of
its own, so one training learns p(label | picture), p(picture | label) and p(picture, label); which
one is sampled is a matter of which part is given.

Measured 2026-11 on 2 CPU cores, one run, 80 epochs in 108 CPU-seconds of one thread, 400 held-out
digits: labels drawn given the picture are right for .975; pictures drawn given a label are read as
that label by a judge for .933 (real ones .993), Fréchet distance 7.18 in its features (real 3.74);
pictures and labels drawn together agree for .868. See docs/examples/joint-digits.md.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffusion import Model, data, loss, noise, picture, sampler, schedule, time, train
from diffusion.base import Net
from diffusion.data.source import Source, open_source
from diffusion.metric import Judge, measure
from diffusion.net import UNet

MASK = 10  # the state of a label that is not known yet, after 0..9
OUT = Path("out/joint_digits")


class Both(Net):
    """A U-Net that sees the noisy picture and the noisy label, and predicts both.

    The label, or its mask, conditions the U-Net. The first output of the U-Net is the velocity of
    the picture; from the others the logits of the label are read.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 64), maps: int = 8) -> None:
        self.label = nn.Embedding(MASK + 1, 64)
        self.unet = UNet((1, *widths), parameters=1 + maps, hidden=128, condition=64)
        self.read = nn.Sequential(nn.Flatten(), nn.Linear(maps * 8 * 8, MASK + 1))

    def forward(self, x: dict[str, Tensor], y: Tensor, t: dict[str, Tensor]) -> dict[str, Tensor]:
        hat = self.unet(x["image"], self.label(x["label"][:, 0]), t["image"])
        logits = self.read(hat[1:].transpose(0, 1))
        return {"image": hat[:1], "label": logits[None, :, None]}


def build(digits: Source, epochs: int, quick: bool = False) -> Model:
    batch = 64
    pixels = data.Images(digits.w, levels=17)
    label = data.Identity(digits.y[:, None] - 1)
    return Model(
        data=data.Joint(parts={"image": pixels, "label": label}, batch=batch, shuffle=True),
        schedule=schedule.Flow(),
        noise=noise.Joint(
            {"image": noise.Gaussian("velocity"), "label": noise.Absorbing(MASK + 1)}
        ),
        net=Both((8, 16) if quick else (32, 64)),
        loss=loss.Joint({"image": loss.Simple(), "label": loss.CrossEntropy()}),
        time=time.Joint({"image": time.Stratified(), "label": time.Stratified()}),
        sampler=sampler.DDIM(),
        optimizer=train.AdamW(2e-3, steps=epochs * (len(digits.w) // batch + 1)),
        ema=0.9 if quick else 0.999,
        clip=1.0,
    )


def evaluate(model: Model, digits: Source, quick: bool) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What held-out digits, and a judge trained on real ones, say about each of the three laws."""
    steps, held = 8 if quick else 50, (digits.w_test, digits.y_test)
    judge = Judge.fit(digits.w, digits.y, classes=10, epochs=2 if quick else None, progress=True)
    # Of one token that is masked or not, a single step is the exact conditional.
    read = model.sample(given={"image": held[0]}, steps=1, seed=0)["label"][:, 0] + 1
    drawn = model.sample(given={"label": held[1][:, None] - 1}, steps=steps, seed=1)["image"]
    both = model.sample(batch=len(held[0]), steps=steps, seed=2)
    return {
        "label given picture": {"accuracy": float((read == held[1]).float().mean())},
        "picture given label": measure(judge, drawn, held[1], held, (digits.w, digits.y)).plain(),
        "picture and label": {"accuracy": judge.accuracy(both["image"], both["label"][:, 0] + 1)},
    }, {
        "label": by_label(held[0], read - 1),
        "picture": by_label(drawn, held[1] - 1),
        "both": by_label(both["image"], both["label"][:, 0]),
    }


def by_label(w: Tensor, label: Tensor, columns: int = 8) -> Tensor:
    """A row of pictures for each of the ten labels; where there are too few, it ends in black."""
    rows = torch.zeros(10, columns, *w.shape[1:], dtype=w.dtype)
    for row, number in zip(rows, range(10), strict=True):
        found = w[label == number][:columns]
        row[: len(found)] = found
    return rows.flatten(0, 1)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tiny network, a few epochs")
    parser.add_argument("--folder", help="checkpoints, default runs/joint_digits")
    options = parser.parse_args(argv)
    digits, epochs = open_source("digits"), 4 if options.quick else 80
    folder = options.folder or ("runs/joint_digits" + "-quick" * options.quick)

    torch.manual_seed(0)
    model = build(digits, epochs, options.quick)
    for mean in model.train(epochs, folder=folder, every=60, progress=True):
        print(f"epoch {len(model.run.history)}: loss {mean:.4f}")
    model.save(OUT / "model")

    result, tables = evaluate(model, digits, options.quick)
    result["loss"] = [epoch["loss"] for epoch in model.run.history]
    for name, table in tables.items():
        pixels = model.data.parts["image"].pictures(table)
        picture.grid(pixels, columns=8, labels=digits.names).save(OUT / f"{name}.png")
    (OUT / "result.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    main()
