"""The layers of a network, by every name that LoRA files have for them.

Names are made from the network, not taken apart: kohya's are joined by "_", which no rule divides
again. What the file says is then looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import nn

from ..denoiser import Denoiser
from ..net.inner import inner as own
from .keys import flat
from .layout import original

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
OLD = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out", "to_out_0":
       "to_out"}  # fmt: skip
"""Ends of names that Diffusers wrote otherwise before version 0.22."""

SCALE_FIRST = ("AdaNormOut", "AdaLayerNormContinuous")
"""Layers, here and in Diffusers, that say scale and shift, where the original says shift first."""


class Place(NamedTuple):
    """A layer of the network that a name in the file stands for.

    Attributes:
        rows: which outputs of the file's layer are its own, in its order; None for all.
    """

    path: str
    rows: tuple[slice, ...] | None = None


def inner(network: nn.Module) -> nn.Module:
    """The network whose layers files name."""
    if isinstance(network, Denoiser):
        network = network.network
    return own(network)


def layers(network: nn.Module) -> dict[str, Any]:
    """Linear layers and convolutions, by path."""
    return {path: one for path, one in network.named_modules() if isinstance(one, LAYERS)}


def places(network: nn.Module) -> dict[str, tuple[Place, ...]]:
    """The layer of every name, or the layers where the file's is several in one."""
    found = layers(network)
    named: dict[str, tuple[Place, ...]] = {flat(path): (Place(path),) for path in found}
    for path in found:
        for other in _old(flat(path)):
            named.setdefault(other, (Place(path),))
    for name, paths in original(network, found):
        named.setdefault(flat(name), tuple(_places(paths, network, found)))
    return named


def _old(name: str) -> Iterator[str]:
    for now, before in OLD.items():
        if name.endswith(f"_{now}"):
            yield name.removesuffix(now) + before


def _places(paths: list[str], network: nn.Module, found: dict[str, Any]) -> Iterator[Place]:
    """Outputs of the original layer, in turn for each of ours."""
    start = 0
    for path in paths:
        stop = start + found[path].weight.shape[0]
        parent = network.get_submodule(path.rpartition(".")[0])
        if type(parent).__name__ in SCALE_FIRST:
            half = (start + stop) // 2
            yield Place(path, (slice(half, stop), slice(start, half)))
        else:
            yield Place(path, (slice(start, stop),) if len(paths) > 1 else None)
        start = stop
