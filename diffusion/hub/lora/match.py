"""A LoRA held against a network: which update is which layer's, or an error that helps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from ...errors import FileError
from .keys import flat
from .names import Place, inner, layers, places
from .update import Update

if TYPE_CHECKING:
    from .lora import Lora

SIGNS = {
    r"double_blocks|single_(transformer_)?blocks": "FluxTransformer2DModel",
    r"joint_blocks": "SD3Transformer2DModel",
    r"^blocks_\d+_(self_attn|cross_attn|attn1|ffn)": "WanTransformer3DModel",
    r"adaln_single|caption_projection": "PixArtTransformer2DModel",
    r"^transformer_blocks_\d+_(attn|ff)_": "SD3Transformer2DModel or FluxTransformer2DModel",
    r"^transformer_blocks": "PixArtTransformer2DModel or DiTTransformer2DModel",
    r"(input|output|middle|down|up|mid)_block": "UNet2DConditionModel",
    r"encoder_layers_\d+_(self_attn|mlp)": "CLIPTextModel",
    r"SelfAttention|DenseReluDense": "T5EncoderModel",
}
"""Parts of names by which a class is known."""
WIDTHS = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}
"""Of the text that the U-Nets attend to."""


def matched(lora: Lora, network: nn.Module, part: str, partial: bool) -> dict[str, Update]:
    """The update of each layer of the network that the LoRA has one for, by path."""
    network = inner(network)
    if part not in lora.parts:
        raise FileError(
            f"{lora.source}: nothing for {part!r}; it has updates for {', '.join(lora.parts)}."
        )
    updates, own = lora.parts[part], layers(network)
    known = places(network)
    unknown = [name for name in updates if flat(name) not in known]
    if len(unknown) == len(updates) or (unknown and not partial):
        raise FileError(_unmatched(lora.source, unknown, updates, network, own))
    found: dict[str, Update] = {}
    for name, update in updates.items():
        for place in known.get(flat(name), ()):
            if place.path in found:
                raise FileError(
                    f"{lora.source}: {found[place.path].name} and {name} are both the layer "
                    f"{place.path} of {type(network).__name__}."
                )
            found[place.path] = _own(lora.source, update, place, own[place.path].weight, known)
    return found


def _own(
    source: str, update: Update, place: Place, weight: Any, known: Mapping[str, tuple[Place, ...]]
) -> Update:
    """An update, or some of its rows, for a layer of this weight."""
    own = update
    if place.rows is not None:
        total = _outputs(known[flat(update.name)])
        m = update.magnitude
        by_input = m is not None and m.shape[0] != len(update.up)
        if by_input or len(update.up) != total:
            raise FileError(
                f"{source}: {update.name} has {len(update.up)} outputs"
                f"{' and a DoRA by input' if by_input else ''}; it is several layers here, of "
                f"{total} outputs{', with DoRA by output only' if by_input else ''}."
            )
        own = update.rows(place.rows)
    if not own.fits(weight):
        dora = "" if own.magnitude is None else f" and magnitudes {list(own.magnitude.shape)}"
        raise FileError(
            f"{source}: {update.name} has factors {list(own.down.shape)} and {list(own.up.shape)}"
            f"{dora}, which do not fit {place.path} with its weight {list(weight.shape)}."
        )
    return own


def _outputs(several: tuple[Place, ...]) -> int:
    stops: list[int] = [rows.stop for place in several for rows in place.rows or ()]
    return max(stops)


def _unmatched(
    source: str, unknown: list[str], updates: Mapping[str, Update], network: nn.Module,
    own: Mapping[str, Any],
) -> str:  # fmt: skip
    name, count = type(network).__name__, len(unknown)
    which = "none" if count == len(updates) else f"{len(updates) - count}"
    fix = "" if which == "none" else " partial=True leaves them out."
    return (
        f"{source}: {which} of its {len(updates)} layers are layers of this {name}. It has "
        f"{_few(unknown)}; the network has {_few([*own])}. It seems made for "
        f"{guess(updates)}.{fix}"
    )


def guess(updates: Mapping[str, Update]) -> str:
    """The class that names of layers are of."""
    names = {flat(name): update for name, update in updates.items()}
    for sign, cls in SIGNS.items():
        if any(re.search(sign, name) for name in names):
            widths = (one.down.shape[1] for name, one in names.items() if "attn2_to_k" in name)
            model = WIDTHS.get(next(widths, 0)) if cls == "UNet2DConditionModel" else None
            return f"{cls} of {model}" if model else cls
    return "a class that is not known here"


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
