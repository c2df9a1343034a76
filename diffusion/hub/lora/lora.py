"""What a LoRA file holds, by part of a model and by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import nn

from .attach import Attached
from .keys import DENOISER
from .match import matched
from .update import Update


class Lora(NamedTuple):
    """The updates of layers: `parts["denoiser" or "text_encoder", ...][name in the file]`.

    Attributes:
        source: the file, for messages.
    """

    source: str
    parts: Mapping[str, Mapping[str, Update]]

    def attach(
        self, network: nn.Module, strength: float = 1.0, *, part: str = DENOISER,
        partial: bool = False,
    ) -> Attached:  # fmt: skip
        """Change what a network says, in place, until the end of a `with` block or `detach`.

        Args:
            network: a network of `diffusion.hub`, its `Denoiser`, or a text encoder of
                transformers. part: whose updates are meant.
            partial: leave out layers that the network does not have.

        Errors: no layer of it, or not all of them, are the network's; other shapes. Nothing was
        changed then.
        """
        return Attached(network, matched(self, network, part, partial), strength)

    def __repr__(self) -> str:
        said = [f"{part}: {_brief(layers)}" for part, layers in self.parts.items()]
        return f"Lora({self.source!r}, {', '.join(said)})"


def _brief(layers: Mapping[str, Update]) -> str:
    ranks = sorted({len(one.down) for one in layers.values()})
    shown = f"{ranks[0]}" if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}"
    return f"{len(layers)} layers of rank {shown}"
