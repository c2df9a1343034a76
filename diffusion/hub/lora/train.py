"""Training a LoRA instead of the weights, and writing it as a file. Hu et al. 2021."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ... import rng, sampling
from ...errors import InputError, require
from .apply import changed
from .branch import PLACE, Branch, add
from .names import inner, layers
from .read import FILES
from .update import Update

if TYPE_CHECKING:
    from ...model import Model

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


def trainable(
    model: Model[Any], rank: int = 4, targets: Sequence[str] = ATTENTION, *,
    alpha: float | None = None, seed: int = 0,
) -> Model[Any]:  # fmt: skip
    """A model whose network's only trainable parameters are the factors of a new LoRA.

    All else is frozen, and shared with the given model. A is uniform as a fresh linear layer's
    weight, B is zero: at first nothing is changed. Sample, train and resume it as any other, then
    `save` the LoRA.

    Args:
        targets: ends of the names of layers, linear or convolutions, as in "attn2.to_k".
        alpha: the change is alpha/rank·B·A; None is the rank.

    Errors: a target that no layer ends in.
    """
    require(isinstance(rank, int) and rank > 0, "lora.trainable.rank", "a whole number > 0", rank)
    scale = 1.0 if alpha is None else alpha / rank
    net, data = sampling.weights(model)
    made = changed(net, inner(net), {})
    made.requires_grad_(False)
    for path, layer in _targets(inner(made), targets).items():
        update = _fresh(path, layer.weight, rank, scale, seed)
        branch = Branch(update, layer.weight, dtype=torch.float32).requires_grad_(True)
        branch.trained = True
        add(layer, branch)
    return model.replace(net=made, data=data)


def save(model: Model[Any], path: str | Path) -> Path:
    """Write the LoRA that a model trains (its average, if there is one): peft's naming.

    Diffusers' `load_lora_weights` opens it. alpha is multiplied into B, so it is the rank.

    Args:
        path: a file, or a folder, in which it is called `pytorch_lora_weights.safetensors`.
    """
    from safetensors.torch import save_file

    network = inner(sampling.weights(model)[0])
    part = "unet" if type(network).__name__.startswith("UNet") else "transformer"
    tensors: dict[str, Tensor] = {}
    for name, layer in layers(network).items():
        for branch in getattr(layer, PLACE, ()):
            if branch.trained:
                tensors |= _pair(f"{part}.{name}", branch)
    if not tensors:
        raise InputError("lora.save: the model trains no LoRA; make it by lora.trainable(model).")
    path = Path(path)
    path = path if path.suffix == ".safetensors" else path / FILES[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": "pt"})
    return path


def _targets(network: nn.Module, targets: Sequence[str]) -> dict[str, Any]:
    """The layers whose paths end in one of the targets."""
    found: dict[str, Any] = {}
    for target in targets:
        own = {p: one for p, one in layers(network).items() if f".{p}".endswith(f".{target}")}
        if not own:
            raise InputError(
                f"lora.trainable.targets: no layer of {type(network).__name__} ends in {target!r}; "
                f"there are {', '.join([*layers(network)][:6])}, ..."
            )
        found |= own
    return found


def _fresh(path: str, weight: Tensor, rank: int, scale: float, seed: int) -> Update:
    """A of U(-1, 1)/√in, drawn by the layer's name, and B of zeros, in float32."""
    down = torch.empty(rank, *weight.shape[1:], device=weight.device)
    drawn = rng.uniform(down, rng.generator(seed, "lora", path)) * 2 - 1
    down = (drawn / math.sqrt(weight[0].numel())).float()
    return Update(path, down, torch.zeros(len(weight), rank, device=weight.device), scale)


def _pair(name: str, branch: Branch) -> dict[str, Tensor]:
    """A and s·B as they stand in a file; those of a convolution are convolutions."""
    up = branch.up * branch.scale
    up = up.reshape(*up.shape, *(1,) * (branch.down.dim() - 2))
    pair = {"lora_A": branch.down, "lora_B": up}
    return {f"{name}.{k}.weight": v.detach().cpu().contiguous() for k, v in pair.items()}
