"""docs/blocks-reference.md, which `docs/generate.py` writes: every block and task pipeline."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from diffusion import block, data, hub, noise, schedule
from diffusion.base import Net
from diffusion.block import between, denoise, pipeline
from diffusion.block.port import declared
from diffusion.block.reference import tables
from diffusion.docstring import heading, prose
from diffusion.hub.net import ControlNetModel, UNet2DConditionModel
from diffusion.model import Model
from diffusion.net import UNet

PAGE = Path(__file__).with_name("blocks-reference.md")
HEAD = """\
# Blocks: reference

Every block and every pipeline for a task: what it is, its arguments, and its ports, which are what
it reads and makes. This page is written by `docs/generate.py` from the code. [Blocks and
pipelines](blocks.md) explains how blocks are composed, [Pipelines](pipelines.md) shows the tasks at
work. `diffusion show pipeline.yaml --markdown` writes such a page of a pipeline of your own.

A shape names the axes of a tensor: axes of one name are of one size. Where ports depend on a model,
they are more exact than here as soon as there is one: `Decode(model).ports()`.
"""
GROUPS = {
    "Composition": "Blocks made of blocks. Their ports follow from those of the blocks in them.",
    "Around the sampling": "What stands before and after `Denoise`, and `Denoise` itself.",
    "Between the steps": "For `Denoise(model, each={...})` and the `each=` of every task.",
    "Tasks": "Functions that return a `Pipeline`. Blocks and tables are those of a model of colour "
    "pictures of 64×64 pixels that reads prompts; for `ClassToImage` of one that knows classes.",
    "For tasks of your own": "What the tasks are made of beside blocks.",
}


def page() -> str:
    """The whole page."""
    links = " · ".join(f"[{name}](#{name.lower().replace(' ', '-')})" for name in GROUPS)
    parts = [HEAD, links]
    for group, about in GROUPS.items():
        parts += [f"## {group}", about]
        for name, thing in public():
            if group == group_of(thing):
                parts += [f"### `{heading(name, thing)}`", prose(thing), *details(name, thing)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def public() -> list[tuple[str, Any]]:
    """What `diffusion.block` offers, by name."""
    named = [(name, getattr(block, name)) for name in sorted(block.__all__)]
    return [(name, one) for name, one in named if one is not block.BlockError]


def group_of(thing: Any) -> str:
    """Where something is listed."""
    if not isinstance(thing, type):
        return "Tasks" if thing.__name__[0].isupper() else "For tasks of your own"
    if not issubclass(thing, block.Block):
        return "For tasks of your own"
    if thing.__name__ in between.__all__:
        return "Between the steps"
    own = thing is block.Block or issubclass(thing, pipeline.Composite)
    return "Composition" if own and thing is not block.Denoise else "Around the sampling"


def details(name: str, thing: Any) -> Iterator[str]:
    """The ports of a block; of a task its blocks too."""
    group = group_of(thing)
    if group == "Tasks":
        made = example(name, thing)
        yield f"```text\n{made!r}\n```"
        yield tables(made.ports())
    elif thing is block.Denoise:
        yield tables(denoise.PORTS)
    elif group in ("Around the sampling", "Between the steps"):
        yield inspect.cleandoc(thing.__call__.__doc__ or "")
        yield "" if thing is block.Call else tables(declared(thing))


class Still(Net):
    """Stands for a network of videos."""

    def forward(self, x: Any, y: Any, t: Any) -> torch.Tensor:
        return x[None]


class Words(nn.Module):
    """Stands for a text encoder."""

    def forward(self, prompts: list[str]) -> dict[str, torch.Tensor]:
        return {"encoder_hidden_states": torch.zeros(len(prompts), 1, 4)}


def example(name: str, task: Any) -> block.Pipeline:
    """A task with a tiny model."""
    plan, law, words = schedule.Cosine(10), noise.Gaussian(), data.Images(text=Words())
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "in_channels": 3, "layers_per_block": 1, "block_out_channels": (4, 8), "norm_num_groups": 2,
        "attention_head_dim": 2, "cross_attention_dim": 4,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    }  # fmt: skip
    up = {"out_channels": 3, "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D")}
    null = {"encoder_hidden_states": torch.zeros(1, 1, 4)}
    net = hub.Denoiser(UNet2DConditionModel(**sizes, **up), plan, null=null)
    prompts: Model[Any] = Model(words, plan, law, net, shape=(3, 64, 64))
    if name == "Control":
        return task(prompts, ControlNetModel(**sizes))
    if name == "ClassToImage":
        return task(Model(data.Images(), plan, law, UNet((3, 4), labels=2), shape=(3, 64, 64)))
    if name == "Upscale":
        return task(Model(data.Images(), plan, law, UNet((3, 4), beside=3), shape=(3, 64, 64)))
    if name == "TextToVideo":
        return task(Model(words, plan, law, Still(), shape=(3, 5, 64, 64)))
    return task(prompts)
