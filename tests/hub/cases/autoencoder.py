"""Configs of picture autoencoders, beside those of Diffusers: what they say, and what they draw."""

from typing import Any

import torch
from torch import Tensor

from diffusion.hub.autoencoder.kl import AutoencoderKL
from diffusion.hub.autoencoder.tiny import AutoencoderTiny
from diffusion.hub.autoencoder.vq import VQModel
from diffusion.hub.part import Part

from ..parity import Case

LEVELS: dict[str, Any] = {
    "block_out_channels": (8, 16),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "norm_num_groups": 4,
}
ATTENTIVE: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
    "up_block_types": ("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
}
PLAIN: dict[str, Any] = {"use_quant_conv": False, "use_post_quant_conv": False}
SCALES: dict[str, Any] = {"latents_mean": (0.1,) * 4, "latents_std": (2.0,) * 4, "sample_size": 64}


def pictures(
    x: tuple[int, ...] = (2, 3, 16, 24), z: tuple[int, ...] = (2, 4, 8, 12)
) -> dict[str, Tensor]:
    return {"x": torch.randn(x), "z": torch.randn(z)}


def gaussian(module: Any, inputs: dict[str, Any]) -> list[Tensor]:
    """Moments, the decoder's pictures, and the reconstruction."""
    x, z = inputs["x"], inputs["z"]
    if isinstance(module, AutoencoderKL):
        return [*module.moments(x), module.encode(x), module.decode(z), module(x)]
    known = module.encode(x).latent_dist
    return [known.mean, known.logvar, known.mode(), module.decode(z).sample, module(x).sample]


def kl(name: str, x: tuple[int, ...] = (2, 3, 16, 24), **config: Any) -> Case:
    config = {**LEVELS, **config}
    factor, channels = (
        2 ** (len(config["block_out_channels"]) - 1),
        config.get("latent_channels", 4),
    )
    z = (x[0], channels, x[2] // factor, x[3] // factor)
    return Case(name, AutoencoderKL, config, lambda: pictures(x, z), gaussian)


def plain(module: Any, inputs: dict[str, Any]) -> list[Tensor]:
    """Latents and pictures."""
    x, z = inputs["x"], inputs["z"]
    if isinstance(module, Part):
        assert isinstance(module, AutoencoderTiny)
        return [module.encode(x), module.decode(z)]
    return [module.encode(x).latents, module.decode(z).sample]


def stored(module: Any, inputs: dict[str, Any]) -> Tensor:
    """The reconstruction from eight bits."""
    if isinstance(module, AutoencoderTiny):
        bytes_ = module.store(module.encode(inputs["x"]))
        return module.decode(module.restore(bytes_))
    found: Tensor = module(inputs["x"]).sample
    return found


def quantised(module: Any, inputs: dict[str, Any]) -> list[Tensor]:
    """Vectors, pictures of the nearest vectors and of some indices, and the commitment."""
    x, z, index = inputs["x"], inputs["z"], inputs["index"]
    if isinstance(module, VQModel):
        return [module.encode(x), module.decode(z), module.decode(index), module(x),
                module.commitment(z).view(1)]  # fmt: skip
    module.register_to_config(lookup_from_codebook=True)
    shape = (*index.shape, module.quantize.vq_embed_dim)
    looked = module.decode(index, force_not_quantize=True, shape=shape).sample
    found, loss = module.decode(z, return_dict=False)
    return [module.encode(x).latents, found, looked, module(x).sample, loss.view(1)]


def unquantised(module: Any, inputs: dict[str, Any]) -> list[Tensor]:
    """Vectors, and pictures of vectors as they are."""
    x, z = inputs["x"], inputs["z"]
    if isinstance(module, VQModel):
        return [module.encode(x), module.decode(z, quantize=False)]
    return [module.encode(x).latents, module.decode(z, force_not_quantize=True).sample]


def codes(width: int = 3) -> dict[str, Tensor]:
    found = pictures((2, 3, 16, 24), (2, width, 8, 12))
    return {**found, "index": torch.randint(16, (2, 8, 12))}


TINY: dict[str, Any] = {
    "encoder_block_out_channels": (8, 8, 8),
    "decoder_block_out_channels": (8, 8, 8),
    "num_encoder_blocks": (1, 2, 1),
    "num_decoder_blocks": (2, 1, 1),
}
BOOK: dict[str, Any] = {**LEVELS, "num_vq_embeddings": 16, "norm_type": "group"}
KL = [
    kl("default", block_out_channels=(32,), norm_num_groups=32, layers_per_block=1,
       down_block_types=("DownEncoderBlock2D",), up_block_types=("UpDecoderBlock2D",)),
    kl("sd", layers_per_block=2, force_upcast=False, scaling_factor=0.13025),
    kl("flux", latent_channels=16, shift_factor=0.1159, **PLAIN),
    kl("odd", x=(3, 3, 19, 13), block_out_channels=(8, 16, 8),
       down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3),
    kl("no-attention", mid_block_add_attention=False, use_post_quant_conv=False, **SCALES),
    kl("attention", act_fn="relu", use_quant_conv=False, **ATTENTIVE),
    kl("channels", x=(1, 4, 8, 8), in_channels=4, out_channels=5, norm_num_groups=8, act_fn="mish"),
]  # fmt: skip
TINIES = [
    Case("default", AutoencoderTiny, TINY, lambda: pictures(z=(2, 4, 4, 6)), plain),
    Case("odd", AutoencoderTiny, {**TINY, "act_fn": "gelu", "upsample_fn": "bilinear",
         "latent_channels": 16, "in_channels": 4, "out_channels": 2},
         lambda: pictures((2, 4, 13, 19), (2, 16, 3, 5)), plain),
    Case("scaled", AutoencoderTiny, {**TINY, "upsampling_scaling_factor": 3,
         "decoder_block_out_channels": (4, 4, 4), "shift_factor": 0.1, "scaling_factor": 0.5},
         lambda: pictures(z=(2, 4, 4, 6)), plain),
]  # fmt: skip
VQ = [
    Case("quantised", VQModel, BOOK, codes, quantised),
    Case("width", VQModel, {**BOOK, "vq_embed_dim": 5, "mid_block_add_attention": False},
         lambda: codes(5), quantised),
]  # fmt: skip
VECTORS = [
    Case("vectors", VQModel, {**BOOK, "layers_per_block": 2, "vq_embed_dim": 4}, pictures,
         unquantised),
    Case("attention", VQModel, {**BOOK, **ATTENTIVE, "latent_channels": 4, "act_fn": "gelu"},
         pictures, unquantised),
]  # fmt: skip
CASES = [*KL, *TINIES, *VECTORS, *VQ]
EXACT = [
    Case("stored", AutoencoderTiny, {**TINY, "latent_magnitude": 2, "latent_shift": 0.4},
         pictures, stored),
]  # fmt: skip
"""Where Diffusers fails in bfloat16."""

SD: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
LDM: dict[str, Any] = {
    "block_out_channels": (128, 256, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "layers_per_block": 2,
    "num_vq_embeddings": 8192,
    "sample_size": 256,
}
AMUSED: dict[str, Any] = {
    "block_out_channels": (128, 256, 256, 512, 768),
    "down_block_types": ("DownEncoderBlock2D",) * 5,
    "up_block_types": ("UpDecoderBlock2D",) * 5,
    "layers_per_block": 2,
    "latent_channels": 64,
    "num_vq_embeddings": 8192,
    "lookup_from_codebook": True,
    "mid_block_add_attention": False,
    "force_upcast": True,
}
REAL: dict[str, tuple[type[Part], dict[str, Any]]] = {
    "stable-diffusion-v1-5": (AutoencoderKL, {**SD, "sample_size": 512}),
    "stable-diffusion-xl-base-1.0": (
        AutoencoderKL,
        {**SD, "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True},
    ),
    "stable-diffusion-3-medium": (
        AutoencoderKL,
        {**SD, **PLAIN, "latent_channels": 16, "scaling_factor": 1.5305, "shift_factor": 0.0609},
    ),
    "FLUX.1-dev": (
        AutoencoderKL,
        {**SD, **PLAIN, "latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159},
    ),
    "taesd": (AutoencoderTiny, {}),
    "taesd3": (AutoencoderTiny, {"latent_channels": 16}),
    "ldm-super-resolution-4x-openimages": (VQModel, LDM),
    "amused-512": (VQModel, AMUSED),
}
