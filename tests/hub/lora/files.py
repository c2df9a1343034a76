"""LoRA files of random factors for every layer of a network, in the namings that exist."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

Factors = dict[str, tuple[Tensor, Tensor]]
"""A `[r, in, ...]` and B `[out, r]` by the layer's path."""


def factors(network: nn.Module, paths: Iterable[str], rank: int = 3, seed: int = 0) -> Factors:
    """Random ones, large enough to be seen in the output."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) * 0.3

    found = {}
    for path in paths:
        weight = network.get_submodule(path).weight
        found[path] = draw(rank, *weight.shape[1:]), draw(weight.shape[0], rank)
    return found


def peft(path: str, prefix: str = "") -> tuple[str, str]:
    return f"{prefix}{path}.lora_A.weight", f"{prefix}{path}.lora_B.weight"


def kohya(path: str, prefix: str = "lora_unet_") -> tuple[str, str]:
    name = prefix + path.replace(".", "_")
    return f"{name}.lora_down.weight", f"{name}.lora_up.weight"


def old(path: str, prefix: str = "unet.") -> tuple[str, str]:
    """Diffusers before 0.22: the attention's processor owns them."""
    attention, _, layer = path.replace("to_out.0", "to_out").rpartition(".")
    name = f"{prefix}{attention}.processor.{layer}_lora"
    return f"{name}.down.weight", f"{name}.up.weight"


def write(
    path: Path, of: Factors, name: Callable[[str], tuple[str, str]], alpha: float | None = None,
    metadata: dict[str, str] | None = None, **more: Tensor,
) -> Path:  # fmt: skip
    """A file; the up factor of a convolution is a convolution."""
    tensors = dict(more)
    for layer, (down, up) in of.items():
        first, second = name(layer)
        tensors[first] = down
        tensors[second] = up.reshape(*up.shape, *(1,) * (down.dim() - 2))
        if alpha is not None:
            tensors[first.split(".lora_")[0] + ".alpha"] = torch.tensor(float(alpha))
    save_file(tensors, path, metadata={"format": "pt", **(metadata or {})})
    return path


def folded(state: dict[str, Tensor], of: Factors, scale: float) -> dict[str, Tensor]:
    """W + scale·B·A in float64: what a state dict must hold afterwards."""
    found = {k: v.double() for k, v in state.items()}
    for path, (down, up) in of.items():
        weight = found[f"{path}.weight"]
        change = torch.einsum("or,ri->oi", up.double(), down.double().flatten(1))
        found[f"{path}.weight"] = weight + scale * change.reshape(weight.shape)
    return found


def state(network: nn.Module) -> dict[str, Tensor]:
    """A copy of what a network holds."""
    return {k: v.clone() for k, v in network.state_dict().items()}


def gap(network: nn.Module, want: dict[str, Tensor]) -> float:
    """Largest difference of weights."""
    own = network.state_dict()
    assert own.keys() == want.keys()
    return max(float((own[k].double() - want[k].double()).abs().max()) for k in own)
