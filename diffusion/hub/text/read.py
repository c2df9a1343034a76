"""Which recipe a pipeline's folder asks for, and its components."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ...component import signature
from ...errors import FileError, suggest
from ...folder.typed import typed
from ..files import read_json
from .clip import StableDiffusion, StableDiffusionXL
from .load import load_encoder, load_tokenizer
from .mixed import Flux, StableDiffusion3
from .prompts import OWN, Prompts
from .sentences import Sentences
from .t5 import PixArt, Wan

FAMILIES: dict[type[Prompts], str] = {
    StableDiffusion: """StableDiffusionPipeline StableDiffusionImg2ImgPipeline
        StableDiffusionInpaintPipeline StableDiffusionControlNetPipeline
        StableDiffusionControlNetImg2ImgPipeline StableDiffusionControlNetInpaintPipeline
        StableDiffusionAdapterPipeline LatentConsistencyModelPipeline""",
    StableDiffusionXL: """StableDiffusionXLPipeline StableDiffusionXLImg2ImgPipeline
        StableDiffusionXLInpaintPipeline StableDiffusionXLControlNetPipeline
        StableDiffusionXLControlNetImg2ImgPipeline StableDiffusionXLControlNetInpaintPipeline
        StableDiffusionXLAdapterPipeline""",
    StableDiffusion3: """StableDiffusion3Pipeline StableDiffusion3Img2ImgPipeline
        StableDiffusion3InpaintPipeline StableDiffusion3ControlNetPipeline""",
    Flux: """FluxPipeline FluxImg2ImgPipeline FluxInpaintPipeline FluxControlNetPipeline
        FluxFillPipeline FluxKontextPipeline FluxControlPipeline""",
    PixArt: "PixArtAlphaPipeline PixArtSigmaPipeline",
    Wan: "WanPipeline WanVideoToVideoPipeline WanImageToVideoPipeline",
}
"""The recipe of each of Diffusers' pipelines."""
RECIPES = {name: recipe for recipe, names in FAMILIES.items() for name in names.split()}
NAMED: dict[str, type[Prompts]] = {one.__name__: one for one in FAMILIES} | {"Sentences": Sentences}


def read(
    folder: str | Path, index: Mapping[str, Any], dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu", variant: str | None = None,
) -> Prompts | None:  # fmt: skip
    """The text encoders and tokenizers of a pipeline's folder, or None when it has no encoder.

    Args:
        index: what its `model_index.json` says. dtype: of the encoders; None is the files', but
            float16 becomes float32 on a CPU. variant: a part of weight files' names, as "fp16".

    Errors: a pipeline or a class that is unknown here, a component that is missing or damaged.
    """
    folder, where = Path(folder), str(Path(folder) / "model_index.json")
    listed = _listed(index, where)
    if not any(name.startswith("text_encoder") for name in listed):
        return None
    recipe = _recipe(index, where)
    settings = _settings(folder, index, recipe, where)
    _complete(recipe, listed, where)
    parts: dict[str, Any] = {}
    for name in recipe.components():
        if name not in listed:
            parts[name] = None
        elif name.startswith("tokenizer"):
            parts[name] = load_tokenizer(folder / name, listed[name])
        else:
            parts[name] = load_encoder(folder / name, listed[name], dtype, device, variant)
    return recipe(**parts, **settings)


def _listed(index: Mapping[str, Any], where: str) -> dict[str, str]:
    """The classes of the encoders and tokenizers that are there, by component."""
    found = {}
    for name, entry in index.items():
        if not name.startswith(("text_encoder", "tokenizer")) or entry in (None, [None, None]):
            continue
        match entry:
            case ["transformers", str(cls)]:
                found[name] = cls
            case _:
                raise FileError(
                    f"{where}: {name} is {entry!r}; expected a class of transformers, such as "
                    '["transformers", "CLIPTextModel"]. Code in folders is never run.'
                )
    return found


def _recipe(index: Mapping[str, Any], where: str) -> type[Prompts]:
    name, known = index.get("_class_name"), RECIPES
    own = index.get(OWN)
    if isinstance(own, dict):
        name, known = own.get("recipe"), NAMED
    if not isinstance(name, str) or name not in known:
        raise FileError(
            f"{where}: how {name!r} reads prompts is not known here; known are "
            f"{', '.join(known)}.{suggest(str(name), known)} Load its encoders with transformers, "
            "and write a recipe: a subclass of diffusion.hub.text.Prompts."
        )
    return known[name]


def _settings(
    folder: Path, index: Mapping[str, Any], recipe: type[Prompts], where: str
) -> dict[str, Any]:
    """The recipe's settings: Diffusers', those of the pipeline's class, and our own."""
    found = {name: index[name] for name in recipe.shared if name in index}
    if index.get("_class_name") == "PixArtSigmaPipeline":
        found["length"] = 300
    if recipe is StableDiffusion3 and (folder / "transformer" / "config.json").is_file():
        config = read_json(folder / "transformer" / "config.json")
        found["joint_attention_dim"] = config.get("joint_attention_dim", 4096)
    found |= {name: value for name, value in index.get(OWN, {}).items() if name != "recipe"}
    known = [n for n in signature(recipe).parameters if n not in recipe.components()]
    for name in found:
        if name not in known:
            raise FileError(
                f"{where}: {OWN}: {recipe.__name__} has no setting {name!r}.{suggest(name, known)}"
            )
    return {name: typed(recipe, name, value, f"{where}: {name}") for name, value in found.items()}


def _complete(recipe: type[Prompts], listed: Mapping[str, str], where: str) -> None:
    """Raise unless the components are those of the recipe."""
    known = recipe.components()
    for name in known:
        if name not in listed and name not in recipe.optional:
            raise FileError(
                f"{where}: {recipe.__name__} needs the component {name}, and none is listed. Get "
                "the whole folder."
            )
    for name in listed:
        if name not in known:
            raise FileError(
                f"{where}: {recipe.__name__} has no component {name}; it has {', '.join(known)}."
            )
