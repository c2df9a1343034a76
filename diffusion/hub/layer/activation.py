"""Activations by the names that configs use."""

from torch import nn

from ...errors import choose

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": nn.SiLU, "swish": nn.SiLU, "mish": nn.Mish, "gelu": nn.GELU, "relu": nn.ReLU,
}  # fmt: skip


def activation(name: str) -> nn.Module:
    """The module an activation's name stands for."""
    choose("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()
