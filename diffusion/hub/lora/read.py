"""LoRA files: safetensors in the naming of peft, kohya or Diffusers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...errors import FileError
from ...folder import tensors
from ..remote import located
from .keys import foreign, parse
from .lora import Lora
from .scale import Setting, settings
from .update import Update

FILES = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
"""Names by Diffusers, and by peft."""
PAIR = ("down", "up")


def read(source: str | Path, revision: str | None = None) -> Lora:
    """The LoRA in a file, in a folder, or in a repository of the hub ("owner/name").

    LoRA and LoCon (with `mid` kernels), alphas, and DoRA are read.

    Errors: no such file, or several; a damaged one; tensors of another method (LoHa, LoKr, ...);
    half a layer; factors that do not fit each other; NaN.
    """
    path = _file(source, revision)
    found = tensors.read(path)
    layers = _layers(found, path)
    known = settings(path)
    parts: dict[str, dict[str, Update]] = {}
    for (part, layer), own in layers.items():
        setting = known.get(part, Setting())
        parts.setdefault(part, {})[layer] = _update(layer, own, setting, path)
    if not parts:
        raise FileError(
            f"{path}: no layers of a LoRA; it holds {', '.join([*found][:3]) or 'none'}."
        )
    return Lora(str(path), parts)


def _file(source: str | Path, revision: str | None) -> Path:
    path = Path(source).expanduser()
    if path.is_file():
        if path.suffix != ".safetensors":
            raise FileError(
                f"{path}: expected a .safetensors file; other formats can execute code when they "
                "are read."
            )
        return path
    folder = located(source, revision, None, False)
    there = sorted(one.name for one in folder.glob("*.safetensors"))
    named = [name for name in FILES if name in there] or there
    if len(named) != 1:
        listed = ", ".join(there[:8]) or "none"
        raise FileError(
            f"{folder}: expected {FILES[0]}, or one .safetensors file; there are: {listed}. Name "
            "the file."
        )
    return folder / named[0]


def _layers(found: Mapping[str, Tensor], path: Path) -> dict[tuple[str, str], dict[str, Tensor]]:
    """The tensors of each layer, by kind."""
    layers: dict[tuple[str, str], dict[str, Tensor]] = {}
    for name, tensor in sorted(found.items()):
        key = parse(name)
        if key is None:
            if not tensor.any():  # zeros change nothing, whatever they are
                continue
            raise FileError(
                f"{path}: {name} is not supported ({foreign(name)}); only LoRA, LoCon and DoRA are."
            )
        if not tensor.isfinite().all():
            raise FileError(f"{path}: {name} holds NaN or infinity; the file is damaged.")
        own = layers.setdefault((key.part, key.layer), {})
        if key.kind in own:
            raise FileError(f"{path}: {name} is the second {key.kind!r} of the layer {key.layer}.")
        own[key.kind] = tensor
    return {name: own for name, own in layers.items() if own.keys() != {"alpha"}}


def _update(layer: str, own: dict[str, Tensor], setting: Setting, path: Path) -> Update:
    missing = [kind for kind in PAIR if kind not in own]
    if missing:
        raise FileError(
            f"{path}: {layer} has {', '.join(own)} and no {missing[0]}; the file is not whole."
        )
    down, up = own["down"], own["up"]
    rank = down.shape[0] if down.dim() > 1 else 0
    middle = own.get("mid")
    fine = rank > 0 and up.dim() > 1 and up.flatten(1).shape[1] == rank
    if middle is not None:
        fine = fine and middle.shape[:2] == (rank, rank)
    if not fine:
        shapes = ", ".join(f"{kind} {list(tensor.shape)}" for kind, tensor in own.items())
        raise FileError(f"{path}: the factors of {layer} do not fit each other: {shapes}.")
    if middle is not None:
        down = torch.einsum("ij...,jp->ip...", middle.float(), down.flatten(1).float())
    return Update(layer, down, up.flatten(1), _scale(layer, own, rank, setting, path),
                  _magnitude(own, down.dim()))  # fmt: skip


def _scale(layer: str, own: Mapping[str, Tensor], rank: int, setting: Setting, path: Path) -> float:
    if "alpha" not in own:
        return setting.scale(layer, rank)
    if own["alpha"].numel() != 1:
        raise FileError(f"{path}: {layer}.alpha has shape {list(own['alpha'].shape)}; expected [].")
    return float(own["alpha"]) / rank


def _magnitude(own: Mapping[str, Tensor], axes: int) -> Tensor | None:
    """Peft's is by output, whatever its shape; LyCORIS' says by its shape which it is."""
    if "magnitude" in own:
        return own["magnitude"].reshape(-1, *(1,) * (axes - 1))
    return own.get("dora_scale")
