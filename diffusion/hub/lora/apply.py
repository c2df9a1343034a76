"""A new model with LoRAs folded in; untouched weights are shared with the model it came from."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ... import sampling
from ...component import arguments
from ...errors import FileError, require
from ..denoiser import Denoiser
from .attach import finite
from .keys import DENOISER
from .lora import Lora
from .match import matched
from .names import inner
from .read import read
from .update import Update, fold

if TYPE_CHECKING:
    from ...model import Model

Changes = dict[str, list[tuple[Update, float]]]


def apply(
    model: Model[Any], loras: Any, strength: float | Sequence[float] = 1.0, *,
    partial: bool = False,
) -> Model[Any]:  # fmt: skip
    """The model with W + Σ strength·Δ in place of W, in its denoiser and text encoders.

    The given model stays as it is; only the weights that change take memory. It starts from the
    weights that sample (averaged ones, if there are any), and is saved as any other.

    Args:
        loras: files, folders, repositories or `Lora`s, one or several.
        strength: of all, or of each.
        partial: leave out what the model has no layers or text encoders for.

    Errors: see `read` and `Lora.attach`; a part of the LoRA that the model does not have.
    """
    listed = [loras] if isinstance(loras, (str, Path, Lora)) else list(loras)
    strengths = [strength] * len(listed) if isinstance(strength, (int, float)) else list(strength)
    fine = len(strengths) == len(listed) > 0 and all(map(finite, strengths))
    require(fine, "lora.apply.strength", f"{len(listed)} finite numbers", strengths)
    net, data = sampling.weights(model)
    networks = {DENOISER: inner(net), **encoders(data.text)}
    changes: dict[str, Changes] = {name: {} for name in networks}
    for one, factor in zip(listed, strengths, strict=True):
        lora = one if isinstance(one, Lora) else read(one)
        for part in _parts(lora, networks, partial):
            for path, update in matched(lora, networks[part], part, partial).items():
                changes[part].setdefault(path, []).append((update, factor))
    modules: dict[str, Any] = {"net": changed(net, networks[DENOISER], changes.pop(DENOISER))}
    if any(changes.values()):
        text = _spoken(data.text, networks, changes)
        modules["data"] = data.using({"text": text})
        if isinstance(modules["net"], Denoiser) and modules["net"].null:
            modules["net"].null = _null(text)
    return model.replace(**modules, ema=None)


def encoders(text: Any) -> dict[str, nn.Module]:
    """The text encoders of a model, by name."""
    return dict(text.named_children()) if isinstance(text, nn.Module) else {}


def changed(
    module: nn.Module, network: nn.Module, changes: Mapping[str, list[tuple[Update, float]]]
) -> Any:
    """A copy of a module that shares its tensors, but those of layers of `network` that change."""
    weights = {id(network.get_submodule(path).weight): one for path, one in changes.items()}
    memo: dict[int, Any] = {}
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            updates = weights.get(id(tensor))
            value = tensor.detach() if updates is None else fold(tensor, updates)
            memo[id(tensor)] = _like(tensor, value)
    return copy.deepcopy(module, memo)


def _like(tensor: Tensor, value: Tensor) -> Tensor:
    return nn.Parameter(value, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else value


def _parts(lora: Lora, networks: Mapping[str, Any], partial: bool) -> list[str]:
    """The parts of a LoRA that the model has."""
    there = [part for part in lora.parts if part in networks]
    if not there or (len(there) < len(lora.parts) and not partial):
        absent = ", ".join(part for part in lora.parts if part not in networks)
        fix = " partial=True leaves that out." if there else ""
        raise FileError(
            f"{lora.source}: it changes {absent}; this model has {', '.join(networks)}.{fix}"
        )
    return there


def _spoken(text: Any, networks: Mapping[str, Any], changes: Mapping[str, Changes]) -> Any:
    """The recipe of prompts with other encoders."""
    made = {k: changed(networks[k], networks[k], one) for k, one in changes.items() if one}
    return type(text)(**{**arguments(text), **made})


def _null(text: Any) -> nn.ParameterDict:
    """What stands for no prompt, said by other encoders."""
    with torch.no_grad():
        return nn.ParameterDict({k: nn.Parameter(v, False) for k, v in text.null().items()})
