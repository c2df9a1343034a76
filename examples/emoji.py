"""Text to image on a small scale: emoji from captions read by MiniLM, in the format of Diffusers.

    python examples/emoji.py                  # trains, samples, measures, writes out/emoji/
    python examples/emoji.py --quick          # the same in seconds, on 128 emoji
    python examples/emoji.py --folder DIR     # stop with Ctrl-C; the same command continues
    python examples/emoji.py --compare        # the saved folder, opened in the real Diffusers

See docs/examples/emoji.md for what was measured.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

import diffusion
from diffusion import Model, data, guidance, hub, loss, noise, picture, sampler, schedule, time, train
from diffusion.base import Data
from diffusion.metric import Judge
from sources import Emoji, emoji, minilm

OUT = Path("out/emoji")
TOKENS, AMONG, STEPS = 16, 20, 25
FREE = (
    "red apple", "blue book", "green heart", "happy cat", "crying dog", "purple flower",
    "woman pilot", "yellow car", "angry face", "pizza",
)  # fmt: skip


class Blocks(Data):
    """Pictures on [-1, 1], each block of 2×2 pixels as the channels of one.

    The same numbers in another order, and a quarter of the positions for the network to look at.
    """

    def encode(self, w: Tensor) -> Tensor:
        return pixel_unshuffle(data.Images().encode(w), 2)

    def decode(self, x: Tensor) -> Tensor:
        return data.Images().decode(pixel_shuffle(x, 2))


def build(drawn: Emoji, epochs: int, quick: bool = False) -> Model:
    """A U-Net of Diffusers' kind that learns the velocity of straight paths, given captions."""
    prompts = hub.text.Sentences.read(minilm(), TOKENS)
    paths, batch = schedule.Flow(1000), 32
    network = hub.net.UNet2DConditionModel(
        sample_size=16, in_channels=12, out_channels=12, cross_attention_dim=384,
        block_out_channels=(16, 16, 32) if quick else (32, 64, 96), layers_per_block=1,
        norm_num_groups=8, attention_head_dim=4,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
    ).to(memory_format=torch.channels_last)  # fmt: skip
    return Model(
        data=Blocks(drawn.images, described(prompts, drawn.captions), batch, True, text=prompts),
        schedule=paths,
        noise=noise.Gaussian("velocity"),
        net=hub.Denoiser(network, paths, hub.scheduler.Timestep("flow"), null=prompts.null()),
        loss=loss.Simple(),
        time=time.LogitNormal(),
        guidance=guidance.ClassifierFree(dropout=0.1, strength=2.0),
        sampler=sampler.FlowAdams(order=1),
        optimizer=train.AdamW(2e-3, steps=epochs * len(drawn.images) // batch),
        ema=0.9 if quick else 0.995,
        clip=1.0,
    )


def described(prompts: Any, captions: Sequence[str]) -> dict[str, Tensor]:
    """The conditions of many captions, read once for the whole training."""
    say = Blocks(text=prompts).describe
    with torch.no_grad():
        parts = [say(captions[i : i + 64]) for i in range(0, len(captions), 64)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
