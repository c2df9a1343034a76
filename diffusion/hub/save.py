"""A model as a folder that Diffusers opens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from .. import sampling
from ..component import same
from ..errors import InputError, MismatchError
from ..folder.atomic import MANIFEST, digests, publish
from .denoiser import Denoiser
from .lora import refuse
from .net.inner import inner
from .part import Part
from .scheduler import Plan, Timestep, write
from .scheduler.write import VERSION
from .text import Prompts

if TYPE_CHECKING:
    from ..model import Model

FILE = "diffusion_pytorch_model"
SHARD = 5_000_000_000
"""Bytes of the largest file, as Diffusers shards them."""
PIPELINES: dict[tuple[str | None, ...], str] = {
    ("UNet2DModel", None, None): "DDPMPipeline",
    ("UNet2DModel", "VQModel", None): "LDMPipeline",
    ("DiTTransformer2DModel", "AutoencoderKL", None): "DiTPipeline",
    ("UNet2DConditionModel", "AutoencoderKL", "StableDiffusion"): "StableDiffusionPipeline",
    ("UNet2DConditionModel", "AutoencoderKL", "StableDiffusionXL"): "StableDiffusionXLPipeline",
    ("SD3Transformer2DModel", "AutoencoderKL", "StableDiffusion3"): "StableDiffusion3Pipeline",
    ("FluxTransformer2DModel", "AutoencoderKL", "Flux"): "FluxPipeline",
    ("PixArtTransformer2DModel", "AutoencoderKL", "PixArt"): "PixArtSigmaPipeline",
    ("WanTransformer3DModel", "AutoencoderKLWan", "Wan"): "WanPipeline",
}
"""Pipelines by network, autoencoder and recipe of prompts."""
ABSENT = {
    "StableDiffusionPipeline": ("safety_checker", "feature_extractor", "image_encoder"),
    "StableDiffusionXLPipeline": ("feature_extractor", "image_encoder"),
    "StableDiffusion3Pipeline": ("feature_extractor", "image_encoder"),
    "FluxPipeline": ("feature_extractor", "image_encoder"),
    "WanPipeline": ("transformer_2",),
}
EXTRA: dict[str, dict[str, Any]] = {"StableDiffusionPipeline": {"requires_safety_checker": False}}
OTHER = "DiffusionPipeline"
"""Written where Diffusers has no pipeline of these parts; it opens them one by one."""


def save(model: Model[Any], folder: str | Path, largest: int = SHARD) -> None:
    """Write the networks that sample (averaged ones, if there are any), and the scheduler.

    Args:
        folder: made in one step; a former one is replaced. largest: bytes of a file of weights.

    Errors: `MismatchError`, naming the module that Diffusers has no place for.
    """
    net, data = sampling.weights(model)
    network, timestep = _network(net)
    refuse(network, "save(format='diffusers')")
    autoencoder, prompts = _autoencoder(data), data.text
    origin = getattr(net, "origin", {})
    settings = _settings(model, timestep, origin.get("plan"))
    parts: dict[str, Part] = {"unet" if _is_unet(network) else "transformer": network}
    if autoencoder is not None:
        parts["vqvae" if type(autoencoder).__name__ == "VQModel" else "vae"] = autoencoder
    index = _index(parts, [network, autoencoder, prompts], settings, origin.get("index", {}), data)
    needed = sum(t.nbytes for part in parts.values() for t in part.state_dict().values())

    def fill(part: Path) -> None:
        texts = prompts.save(part) if isinstance(prompts, Prompts) else {}
        for name, module in parts.items():
            save_component(module, part / name, largest)
        (part / "scheduler").mkdir()
        _json(part / "scheduler" / "scheduler_config.json", settings)
        _json(part / "model_index.json", index | texts)
        _json(part / MANIFEST, digests(part))

    publish(Path(folder), fill, needed)


def save_component(part: Part, folder: Path, largest: int = SHARD) -> None:
    """One network's folder: `config.json` and weights, sharded beyond `largest` bytes."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    _json(folder / "config.json", {**part.config(), "_diffusers_version": VERSION})
    shards = _shards(part.state_dict(), largest)
    names = [f"{FILE}-{i:05}-of-{len(shards):05}.safetensors" for i in range(1, len(shards) + 1)]
    names = [f"{FILE}.safetensors"] if len(shards) == 1 else names
    for name, tensors in zip(names, shards, strict=True):
        plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        save_file(plain, folder / name, metadata={"format": "pt"})
    if len(shards) > 1:
        places = {k: name for name, one in zip(names, shards, strict=True) for k in one}
        size = sum(t.nbytes for one in shards for t in one.values())
        index = {"metadata": {"total_size": size}, "weight_map": places}
        _json(folder / f"{FILE}.safetensors.index.json", index)


def _settings(model: Model[Any], timestep: Timestep, plan: Plan | None) -> dict[str, Any]:
    """The scheduler's: those of the folder that the model came from, if its modules still do."""
    own = (model.schedule, model.noise, model.sampler, timestep)
    if plan is not None and same(own, (plan.schedule, plan.noise, plan.sampler, plan.timestep)):
        return plan.config
    return write(*own, _last(model.guidance))


def _shards(tensors: Mapping[str, Tensor], largest: int) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > largest:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    return shards


def _index(
    parts: Mapping[str, Part], of: list[Any], plan: Mapping[str, Any], origin: Mapping[str, Any],
    data: Any,
) -> dict[str, Any]:  # fmt: skip
    """What `model_index.json` says, but for text encoders."""
    names = tuple(None if one is None else type(one).__name__ for one in of)
    known = PIPELINES.get(names, OTHER)
    name = origin.get("_class_name", known)
    if name == "DDPMPipeline" and plan["_class_name"] == "DDIMScheduler":
        name = "DDIMPipeline"
    listed = {key: ["diffusers", type(part).__name__] for key, part in parts.items()}
    labels = {str(i): one for i, one in enumerate(data.names)}
    return {
        "_class_name": name, "_diffusers_version": VERSION,
        **{key: [None, None] for key in ABSENT.get(name, ())}, **EXTRA.get(name, {}),
        **({"id2label": labels} if name == "DiTPipeline" and labels else {}),
        **listed, "scheduler": ["diffusers", plan["_class_name"]],
    }  # fmt: skip


def _network(net: nn.Module) -> tuple[Part, Timestep]:
    if not isinstance(net, Denoiser):
        raise MismatchError(
            f"save(format='diffusers') and net: Diffusers has no {type(net).__name__}. Train one "
            "of its networks: net=hub.Denoiser(hub.net.UNet2DModel(...), schedule)."
        )
    own = inner(net.network)
    if not isinstance(own, Part):
        raise InputError(
            f"save(format='diffusers'): {type(own).__name__} was wrapped as it is; save it by "
            "its own save_pretrained."
        )
    return own, net.timestep


def _autoencoder(data: Any) -> Any:
    found = getattr(data, "autoencoder", None)
    if found is not None and not isinstance(found, Part):
        raise MismatchError(
            f"save(format='diffusers') and data: Diffusers has no {type(found).__name__}. Use an "
            "autoencoder of diffusion.hub.autoencoder."
        )
    return found


def _last(guidance: Any) -> Any:
    """What the scheduler does to x, of a guidance that ends with it."""
    parts = getattr(guidance, "parts", (guidance,))
    return parts[-1] if parts else None


def _is_unet(network: Part) -> bool:
    return type(network).__name__.startswith("UNet")


def _json(path: Path, plain: Any) -> None:
    path.write_text(json.dumps(plain, indent=2, sort_keys=True) + "\n", "utf-8")
