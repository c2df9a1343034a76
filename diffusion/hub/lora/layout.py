"""How the original code of published networks calls their layers, and which of ours those are.

Facts of the repositories that published the weights: black-forest-labs/flux, Stability-AI/sd3.5,
Wan-Video/Wan2.1; and XLabs-AI/x-flux, which names the streams of an attention.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeAlias

from torch import nn

from .ldm import unet

Table: TypeAlias = dict[tuple[str, str], dict[str, str]]
"""(where a group of layers is there, and here): {name there: names here}."""

QKV, ADDED = "attn.to_q attn.to_k attn.to_v", "attn.add_q_proj attn.add_k_proj attn.add_v_proj"
FLUX: Table = {
    ("", ""): {
        "img_in": "x_embedder", "txt_in": "context_embedder",
        "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
        "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
        "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
        "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
        "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
        "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
        "final_layer.adaLN_modulation.1": "norm_out.linear", "final_layer.linear": "proj_out",
    },
    ("double_blocks.{}.", "transformer_blocks.{}."): {
        "img_mod.lin": "norm1.linear", "txt_mod.lin": "norm1_context.linear",
        "img_attn.qkv": QKV, "qkv1": QKV, "txt_attn.qkv": ADDED, "qkv2": ADDED,
        "img_attn.proj": "attn.to_out.0", "proj1": "attn.to_out.0",
        "txt_attn.proj": "attn.to_add_out", "proj2": "attn.to_add_out",
        "img_mlp.0": "ff.net.0.proj", "img_mlp.2": "ff.net.2",
        "txt_mlp.0": "ff_context.net.0.proj", "txt_mlp.2": "ff_context.net.2",
    },
    ("single_blocks.{}.", "single_transformer_blocks.{}."): {
        "modulation.lin": "norm.linear", "linear1": f"{QKV} proj_mlp", "linear2": "proj_out",
        "qkv": QKV, "proj": "proj_out",
    },
}  # fmt: skip
SD3: Table = {
    ("", ""): {
        "x_embedder.proj": "pos_embed.proj",
        "t_embedder.mlp.0": "time_text_embed.timestep_embedder.linear_1",
        "t_embedder.mlp.2": "time_text_embed.timestep_embedder.linear_2",
        "y_embedder.mlp.0": "time_text_embed.text_embedder.linear_1",
        "y_embedder.mlp.2": "time_text_embed.text_embedder.linear_2",
        "final_layer.adaLN_modulation.1": "norm_out.linear", "final_layer.linear": "proj_out",
    },
    ("joint_blocks.{}.", "transformer_blocks.{}."): {
        "x_block.adaLN_modulation.1": "norm1.linear", "x_block.attn.qkv": QKV,
        "context_block.adaLN_modulation.1": "norm1_context.linear",
        "context_block.attn.qkv": ADDED, "x_block.attn.proj": "attn.to_out.0",
        "context_block.attn.proj": "attn.to_add_out",
        "x_block.attn2.qkv": "attn2.to_q attn2.to_k attn2.to_v",
        "x_block.attn2.proj": "attn2.to_out.0",
        "x_block.mlp.fc1": "ff.net.0.proj", "x_block.mlp.fc2": "ff.net.2",
        "context_block.mlp.fc1": "ff_context.net.0.proj",
        "context_block.mlp.fc2": "ff_context.net.2",
    },
}  # fmt: skip
WAN: Table = {
    ("", ""): {
        "time_embedding.0": "condition_embedder.time_embedder.linear_1",
        "time_embedding.2": "condition_embedder.time_embedder.linear_2",
        "text_embedding.0": "condition_embedder.text_embedder.linear_1",
        "text_embedding.2": "condition_embedder.text_embedder.linear_2",
        "time_projection.1": "condition_embedder.time_proj", "head.head": "proj_out",
    },
    ("blocks.{}.", "blocks.{}."): {
        **{f"self_attn.{a}": f"attn1.to_{a}" for a in "qkv"}, "self_attn.o": "attn1.to_out.0",
        **{f"cross_attn.{a}": f"attn2.to_{a}" for a in "qkv"}, "cross_attn.o": "attn2.to_out.0",
        "ffn.0": "ffn.net.0.proj", "ffn.2": "ffn.net.2",
    },
}  # fmt: skip
TABLES = {
    "FluxTransformer2DModel": FLUX, "SD3Transformer2DModel": SD3, "WanTransformer3DModel": WAN,
}  # fmt: skip


def original(network: nn.Module, paths: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """Names that the original code has, each with the layers that are in its layer, in order."""
    if type(network).__name__ == "UNet2DConditionModel":
        yield from unet(network, paths)
    for (there, here), rows in TABLES.get(type(network).__name__, {}).items():
        for block in _blocks(here, network):
            for name, ours in rows.items():
                listed = [here.format(block) + one for one in ours.split()]
                if listed[0] in paths:
                    yield there.format(block) + name, listed


def _blocks(here: str, network: nn.Module) -> range:
    """The numbers of the blocks of a group; one where it has none."""
    blocks = getattr(network, here.split(".")[0], ()) if here else (network,)
    return range(len(blocks))
