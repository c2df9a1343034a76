"""Configs of Wan's video autoencoders, beside those of Diffusers."""

from typing import Any

import torch
from torch import Tensor

from diffusion.hub.autoencoder.wan import AutoencoderKLWan

from ..parity import Case

SMALL: dict[str, Any] = {"base_dim": 8, "z_dim": 4, "num_res_blocks": 1}
NEW: dict[str, Any] = {
    "is_residual": True, "patch_size": 2, "in_channels": 12, "out_channels": 12, "z_dim": 6,
    "base_dim": 4, "decoder_base_dim": 8, "num_res_blocks": 2,
}  # fmt: skip


def both(module: Any, inputs: dict[str, Any]) -> list[Tensor]:
    """Moments of videos, and videos of latents."""
    x, z = inputs["x"], inputs["z"]
    if isinstance(module, AutoencoderKLWan):
        return [*module.moments(x), module.decode(z)]
    known = module.encode(x).latent_dist
    return [known.mean, known.logvar, module.decode(z).sample]


def wan(
    name: str, frames: int, size: tuple[int, int] = (16, 24), batch: int = 1, latents: int = 2,
    **config: Any,
) -> Case:  # fmt: skip
    config = {**SMALL, **config}
    channels = config.get("in_channels", 3) // config.get("patch_size", 1) ** 2

    def inputs() -> dict[str, Tensor]:
        x = torch.randn(batch, channels, frames, *size)
        return {"x": x, "z": torch.randn(batch, config["z_dim"], latents, 2, 3)}

    return Case(name, AutoencoderKLWan, config, inputs, both)


CASES = [
    *(wan(f"{n}-frames", n, latents=1 + n // 4) for n in (1, 5, 9, 17)),
    *(wan(f"residual-{n}-frames", n, (16, 32), latents=1 + n // 4, **NEW) for n in (1, 5, 9, 17)),
    wan("odd", 5, (19, 13), batch=2, base_dim=6, dropout=0.1),
    wan("flat", 5, dim_mult=[2, 1, 2], temperal_downsample=[True, True], num_res_blocks=2),
    wan("short", 5, temperal_downsample=[True, False, True], decoder_base_dim=16, latents=3),
    wan("residual-whole", 9, latents=3, is_residual=True, temperal_downsample=[False, True, True]),
]
REAL: dict[str, tuple[type[AutoencoderKLWan], dict[str, Any]]] = {
    "Wan2.1-T2V": (AutoencoderKLWan, {}),
    "Wan2.2-TI2V-5B": (
        AutoencoderKLWan,
        {
            "base_dim": 160, "decoder_base_dim": 256, "z_dim": 48, "is_residual": True,
            "in_channels": 12, "out_channels": 12, "patch_size": 2, "scale_factor_spatial": 16,
            "latents_mean": [0.0] * 48, "latents_std": [1.0] * 48,
        },
    ),
}  # fmt: skip
