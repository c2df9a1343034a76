"""The U-Net of Stable Diffusion in the original names: blocks that are counted through.

`input_blocks.N.0` is a residual block or a downsampling, `.1` the transformer after it;
`output_blocks.N` are the same, with an upsampling as the last. Rombach et al. 2022, CompVis'
repository; Podell et al. 2023, Stability-AI/generative-models.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

OUTER = {
    "input_blocks.0.0": "conv_in", "out.2": "conv_out",
    "time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2",
    "middle_block.0": "mid_block.resnets.0", "middle_block.1": "mid_block.attentions.0",
    "middle_block.2": "mid_block.resnets.1",
}  # fmt: skip
INNER = {
    "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}  # fmt: skip
"""Our name of a residual block's layers, and theirs."""


def unet(network: Any, paths: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """Each layer's original name, with its path."""
    there = {ours: theirs for theirs, ours in [*OUTER.items(), *_down(network), *_up(network)]}
    for path in paths:
        for ours, theirs in there.items():
            if path == ours or path.startswith(f"{ours}."):
                rest = path.removeprefix(ours)
                yield theirs + _inner(rest), [path]


def _inner(rest: str) -> str:
    return f".{INNER.get(rest[1:], rest[1:])}" if rest else ""


def _down(network: Any) -> Iterator[tuple[str, str]]:
    """(theirs, ours) of what `input_blocks` are made of."""
    count = 1
    for i, block in enumerate(network.down_blocks):
        here = f"down_blocks.{i}"
        for j in range(len(block.resnets)):
            yield f"input_blocks.{count}.0", f"{here}.resnets.{j}"
            yield f"input_blocks.{count}.1", f"{here}.attentions.{j}"
            count += 1
        if _has(block, "downsamplers"):
            yield f"input_blocks.{count}.0.op", f"{here}.downsamplers.0.conv"
            count += 1


def _up(network: Any) -> Iterator[tuple[str, str]]:
    """(theirs, ours) of what `output_blocks` are made of."""
    count = 0
    for i, block in enumerate(network.up_blocks):
        here, attends = f"up_blocks.{i}", _has(block, "attentions")
        for j in range(len(block.resnets)):
            yield f"output_blocks.{count}.0", f"{here}.resnets.{j}"
            yield f"output_blocks.{count}.1", f"{here}.attentions.{j}"
            count += 1
        if _has(block, "upsamplers"):
            place = f"output_blocks.{count - 1}.{2 if attends else 1}.conv"
            yield place, f"{here}.upsamplers.0.conv"


def _has(block: Any, name: str) -> bool:
    found = getattr(block, name, None)
    return found is not None and len(found) > 0
