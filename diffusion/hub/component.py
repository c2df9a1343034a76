"""One folder of the Diffusers format: a `config.json` and weights, made a network."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch

from ..errors import FileError, suggest
from ..folder.source import source as origin
from .files import read_json, weights
from .part import Part
from .remote import located
from .weights import empty, fill, watch

CLASSES = {
    "UNet2DModel": "net.unet2d",
    "UNet2DConditionModel": "net.unet2d_condition",
    "UNet1DModel": "net.unet1d",
    "ControlNetModel": "net.controlnet",
    "T2IAdapter": "net.t2i",
    "DiTTransformer2DModel": "net.dit",
    "PixArtTransformer2DModel": "net.pixart",
    "SD3Transformer2DModel": "net.sd3",
    "FluxTransformer2DModel": "net.flux",
    "WanTransformer3DModel": "net.wan",
    "AutoencoderKL": "autoencoder.kl",
    "AutoencoderTiny": "autoencoder.tiny",
    "VQModel": "autoencoder.vq",
    "AutoencoderKLWan": "autoencoder.wan",
}
"""Networks that are written here, and where."""


def component(
    source: str | Path, *, revision: str | None = None, dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu", variant: str | None = None, progress: bool = False,
) -> Part:  # fmt: skip
    """The network in a folder: a denoiser, an autoencoder, a ControlNet.

    Args:
        source: a folder, or a repository of the Hugging Face hub, "owner/name".
        revision: branch, tag or commit of a repository.
        dtype: of its weights; None is the file's, but float16 becomes float32 on a CPU.
        variant: part of the weights' file names, such as "fp16".

    Errors: see `diffusion.hub.files`, `.part` and `.weights`; nothing is half loaded.
    """
    folder = located(source, revision, variant, progress)
    config = read_json(folder / "config.json")
    cls = part_class(config, str(folder / "config.json"))
    with empty():
        made = cls.build(config, str(folder / "config.json"))
    fill(made, weights(folder, variant).files, dtype, device, progress)
    watch(made)
    vars(made)["source"] = origin(source, folder, variant, dtype)
    return made.eval()


def part_class(config: dict[str, Any], where: str) -> type[Part]:
    """The class of a config. Errors: one that is not written here."""
    name = config.get("_class_name")
    if name == "Transformer2DModel":
        from .net.dit import transformer2d

        return transformer2d(config)
    if name not in CLASSES:
        raise FileError(
            f"{where}: no network here is called {name!r}.{suggest(str(name), CLASSES)} Load it "
            "with Diffusers, and wrap it: hub.Denoiser(network, ...)."
        )
    found: type[Part] = getattr(importlib.import_module(f"diffusion.hub.{CLASSES[name]}"), name)
    return found
