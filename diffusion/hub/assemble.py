"""A pipeline's folder, or one denoiser, as the modules of a `Model`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from .. import data, loss
from ..base import Data, Guidance
from ..errors import FileError
from ..guidance import ClassifierFree
from .autoencoder.base import Autoencoder
from .component import component, part_class
from .denoiser import Denoiser
from .files import read_json
from .net.inner import wrapped
from .part import Part
from .scheduler import Plan
from .scheduler import read as read_scheduler
from .text import Prompts
from .text import read as read_prompts

if TYPE_CHECKING:
    from ..model import Model

DENOISERS, AUTOENCODERS = ("unet", "transformer"), ("vae", "vqvae", "movq")
UNUSED = ("safety_checker", "feature_extractor", "image_encoder")
"""Components that a model has no use for: they filter pictures, or read conditions in pictures."""
SCALES = {
    "StableDiffusionPipeline": 7.5, "StableDiffusionInpaintPipeline": 7.5,
    "StableDiffusionXLPipeline": 5.0, "StableDiffusionXLInpaintPipeline": 7.5, "DiTPipeline": 4.0,
    "StableDiffusion3Pipeline": 7.0, "PixArtAlphaPipeline": 4.5, "PixArtSigmaPipeline": 4.5,
    "WanPipeline": 5.0,
}  # fmt: skip
"""`guidance_scale` by which the pipelines of Diffusers sample; strength is 1 less."""
FLOWS = ("SD3Transformer2DModel", "FluxTransformer2DModel", "WanTransformer3DModel")


class Options(NamedTuple):
    """How weights are read; see `diffusion.hub.component`."""

    dtype: torch.dtype | None
    device: torch.device | str
    variant: str | None
    progress: bool


def pipeline(folder: Path, options: Options, given: Mapping[str, Any]) -> Model[Any]:
    """The model of a folder with a `model_index.json`. `given` are modules to use instead."""
    index = read_json(folder / "model_index.json")
    listed = {k for k, v in index.items() if isinstance(v, list) and len(v) == 2 and v[1]}
    _known(listed, folder)
    denoiser = _one(listed, DENOISERS, folder, "a denoiser")
    settings = _settings(folder / "scheduler") if "scheduler" in listed else None
    encoders = [name for name in AUTOENCODERS if name in listed]
    autoencoder = _component(folder / encoders[0], options) if encoders else None
    prompts = read_prompts(folder, index, options.dtype, options.device, options.variant)
    network = _component(folder / denoiser, options)
    # The folders of a hub's cache are called by their commits.
    commit = folder.name if folder.parent.name == "snapshots" else None
    return assembled(network, settings, autoencoder, prompts, index, options, given, commit)


def alone(folder: Path, options: Options, given: Mapping[str, Any]) -> Model[Any]:
    """The model of one denoiser's folder, with the scheduler beside it, or the usual one."""
    cls = part_class(read_json(folder / "config.json"), str(folder / "config.json"))
    if issubclass(cls, Autoencoder):
        raise FileError(
            f"{folder}: {cls.__name__} is no denoiser, so it is no model: hub.component(folder) "
            "loads it, data.Latent(autoencoder=...) makes models of its latents."
        )
    network = _component(folder, options)
    beside = folder.parent / "scheduler"
    settings = _settings(beside) if beside.is_dir() else None
    return assembled(network, settings, None, None, {}, options, given)


def assembled(
    network: Part, settings: Mapping[str, Any] | None, autoencoder: Part | None,
    prompts: Prompts | None, index: Mapping[str, Any], options: Options, given: Mapping[str, Any],
    commit: str | None = None,
) -> Model[Any]:  # fmt: skip
    """A model of networks and a scheduler. `index` is what `model_index.json` says."""
    from ..model import Model

    config = network.config()
    own_shape = shape(config, autoencoder)
    plan = scheduled(settings, network, given.get("shape", own_shape))
    names = _names(index.get("id2label"))
    scale = SCALES.get(str(index.get("_class_name")))
    labels, free = classes(config)
    null: Any = prompts.null() if prompts is not None else free
    pixels = getattr(autoencoder, "factor", 8) if config.get("addition_embed_type") or config.get(
        "use_additional_conditions") else 0  # fmt: skip
    made = Denoiser(wrapped(network), plan.schedule, plan.timestep, labels, null, pixels)
    made.origin = {"index": dict(index), "plan": plan, "revision": commit}
    guided: Guidance | None = None
    if scale is not None and (null is not None):
        guided = ClassifierFree(strength=scale - 1)
    if plan.guidance is not None:
        guided = plan.guidance if guided is None else guided | plan.guidance
    own: dict[str, Any] = {
        "data": transform(autoencoder, names, prompts),
        "schedule": plan.schedule, "noise": plan.noise, "net": made, "loss": loss.Simple(),
        "time": plan.time, "guidance": guided, "sampler": plan.sampler,
        "shape": own_shape,
    }  # fmt: skip
    model: Model[Any] = Model(**{**own, **given}, device=options.device)
    model.net.eval()
    return model


def transform(autoencoder: Part | None, names: tuple[str, ...], prompts: Prompts | None) -> Data:
    """Bytes to states: the pixels themselves, or scaled and shifted latents."""
    if autoencoder is None:
        return data.Images(names=names, text=prompts)
    config = autoencoder.config()
    means, deviations = config.get("latents_mean"), config.get("latents_std")
    scale: Any = config.get("scaling_factor", 1.0)
    shift: Any = config.get("shift_factor") or 0.0
    if means is not None and deviations is not None:  # Wan's: one for each channel
        scale, shift = tuple(1 / one for one in deviations), tuple(means)
    return data.Latent(
        autoencoder=autoencoder, scale=scale, shift=shift, inner=data.Images(), names=names,
        text=prompts,
    )  # fmt: skip


def scheduled(settings: Mapping[str, Any] | None, network: Part, sides: Any) -> Plan:
    """The modules of a scheduler's settings, or of the usual one of a network without any.

    Flows may be shifted by the size of the picture, `sides`, in tokens of 2×2 latents.
    """
    name = type(network).__name__
    if settings is None:
        usual = "FlowMatchEulerDiscreteScheduler" if name in FLOWS else "DDPMScheduler"
        return read_scheduler({"_class_name": usual}, "the usual scheduler")
    tokens = math.prod(side // 2 if i > len(sides) - 3 else side
                       for i, side in enumerate(sides) if i > 0)  # fmt: skip
    even = name == "FluxTransformer2DModel"
    return read_scheduler(settings, "scheduler_config.json", tokens=tokens, even=even)


def classes(config: Mapping[str, Any]) -> tuple[int, bool | None]:
    """How many classes a network knows, and whether one row more stands for none of them."""
    if config["_class_name"] == "DiTTransformer2DModel":
        return int(config["num_embeds_ada_norm"]), True
    count = config.get("num_class_embeds")
    return (int(count), None) if count else (0, None)


def shape(config: Mapping[str, Any], autoencoder: Part | None) -> tuple[int, ...]:
    """Of one state. Sizes that a config leaves open are those the network was made for."""
    channels, size = int(config["in_channels"]), config.get("sample_size")
    if config["_class_name"] == "FluxTransformer2DModel":
        return channels // 4, 128, 128
    if config["_class_name"] == "WanTransformer3DModel":
        return channels, 21, 60, 104
    if config["_class_name"] == "UNet1DModel":
        return channels, int(config["sample_size"])
    sides = (size, size) if isinstance(size, int) else tuple(size or (64, 64))
    out = int(config.get("out_channels") or channels)
    return min(channels, out), *map(int, sides)


def _settings(folder: Path) -> dict[str, Any]:
    return read_json(folder / "scheduler_config.json")


def _component(folder: Path, options: Options) -> Part:
    if not folder.is_dir():
        raise FileError(
            f"{folder.parent / 'model_index.json'} lists {folder.name}, and the folder {folder} is "
            "not there. Get the whole repository."
        )
    return component(folder, dtype=options.dtype, device=options.device, variant=options.variant,
                     progress=options.progress)  # fmt: skip


def _known(listed: set[str], folder: Path) -> None:
    parts = {*DENOISERS, *AUTOENCODERS, *UNUSED, "scheduler"}
    for name in sorted(listed):
        if name not in parts and not name.startswith(("text_encoder", "tokenizer")):
            raise FileError(
                f"{folder}: what its component {name!r} does is not known here. Load the others "
                "one by one, hub.component(folder / name), and build a Model of them."
            )


def _one(listed: set[str], names: tuple[str, ...], folder: Path, what: str) -> str:
    found = [name for name in names if name in listed]
    if len(found) != 1:
        raise FileError(
            f"{folder / 'model_index.json'}: expected {what} ({' or '.join(names)}); it lists "
            f"{', '.join(sorted(listed)) or 'no components'}."
        )
    return found[0]


def _names(labels: Any) -> tuple[str, ...]:
    """Class names in the order of their ids, of an `id2label`."""
    if not isinstance(labels, dict):
        return ()
    return tuple(str(labels[key]) for key in sorted(labels, key=int))
