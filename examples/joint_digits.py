"""Handwritten digits whose pixels and label are diffused jointly, by one network.

    python examples/joint_digits.py                # trains, measures, writes out/joint_digits/
    python examples/joint_digits.py --quick        # the same in seconds, with a tiny network
    python examples/joint_digits.py --folder DIR   # stop with Ctrl-C; the same command continues

The pixels follow straight Gaussian paths, the label is masked (absorbing noise). Each has a time of
its own, so one training learns p(label | picture), p(picture | label) and p(picture, label); which
one is sampled is a matter of which part is given.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from diffusion import Model, data, loss, noise, sampler, schedule, time, train
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
        noise=noise.Joint({"image": noise.Gaussian("velocity"), "label": noise.Absorbing(MASK + 1)}),
        net=Both((8, 16) if quick else (32, 64)),
        loss=loss.Joint({"image": loss.Simple(), "label": loss.CrossEntropy()}),
        time=time.Joint({"image": time.Stratified(), "label": time.Stratified()}),
        sampler=sampler.DDIM(),
        optimizer=train.AdamW(2e-3, steps=epochs * (len(digits.w) // batch + 1)),
        ema=0.9 if quick else 0.999,
        clip=1.0,
    )
