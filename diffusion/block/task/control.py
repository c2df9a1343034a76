"""Pictures of prompts and of pictures that say where things are: edges, depth, poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from ... import tree
from ...base import Guidance
from ...base.module import Module
from ...errors import InputError, MismatchError
from ...hub.denoiser import Denoiser
from ...hub.net.controlnet import ControlNetModel
from ...hub.net.t2i import T2IAdapter
from ...hub.net.unet2d_condition import UNet2DConditionModel
from ...model import Model
from ..base import Block
from ..output import Kind
from ..pipeline import Pipeline
from .ask import asked, prompted
from .keep import with_kept
from .net import Controlled, remade
from .picture import pictures, sides
from .scheduler import Scheduler, scheduled
from .text_to_image import made, outputs

Networks = Module | Sequence[Module] | Mapping[str, Module]
Scales = float | Sequence[float] | Mapping[str, float]


def Control(
    model: Model[Any], control: Networks, steps: Any = 50, sampler: Scheduler = None,
    guidance: Guidance | None = None, each: Mapping[str, Block] | None = None,
    output: Kind = "pil", progress: bool = False, scale: Scales = 1.0,
) -> Pipeline:  # fmt: skip
    """The pipeline from prompts and pictures of control to pictures.

        edges = diffusion.hub.component("owner/controlnet-canny")
        Control(model, edges)(prompt="a house", control_image=canny, seed=0)
        pipe = Control(model, {"edges": edges, "depth": depth}, scale={"edges": 0.7, "depth": 0.4})
        pipe(prompt="a house", control_image={"edges": canny, "depth": far}, seed=0)

    Args:
        model: of a Diffusers folder, with a U-Net that reads text.
        control: a `ControlNetModel` or a `T2IAdapter`; or several, in a list or by name, of both
            kinds. What they add to the U-Net is summed.
        scale: of what each adds: one for all, or as `control` has them.
        steps, sampler, guidance, each, output, progress: as for `TextToImage`.

    Inputs: `control_image` and those of `TextToImage`. For one network it is a picture (see
    `Read`), or one for each prompt or sample; for several it is as many of these, in their order or
    by their names. Guidance sees them on both sides. Errors: networks that do not go together.
    """
    prompted("Control", model)
    model = controlled(scheduled(model, sampler), control, scale)
    blocks = made(model, steps, None, guidance, each, output, progress)
    return Pipeline(outputs=outputs(blocks), **asked(model), attach=Attach(model), **blocks)


class Attach(Block):
    """Pictures beside the conditions, for the control networks of a model, or their features.

    Args:
        model: what `controlled` makes.
    """

    model: Model[Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(getattr(self.model.net, "network", None), Controlled):
            raise MismatchError("Attach: the model has no control networks; see `controlled`.")

    def __call__(
        self, conditions: Any, control_image: Any, batch: int | None = None
    ) -> Annotated[Any, "conditions"]:
        network: Any = self.model.net.network
        own, count = network.named(), batch or tree.size(conditions)
        several = named(control_image, network.names, "control_image")
        found = {key: self._fitted(several[key], key, own[key], count) for key in own}
        adapters = {k: one for k, one in own.items() if isinstance(one, T2IAdapter)}
        told = {key: one for key, one in found.items() if key not in adapters}
        kept: dict[str, Any] = {"control": told} if told else {}
        if adapters:
            with torch.no_grad():
                seen = {key: enumerate(one(found[key])) for key, one in adapters.items()}
            kept["features"] = {key: {str(i): f for i, f in one} for key, one in seen.items()}
        return with_kept(conditions, **kept)

    def _fitted(self, given: Any, name: str, control: Module, count: int) -> Tensor:
        """Pictures of one control, a row for each sample."""
        adapter = isinstance(control, T2IAdapter)
        channels: Any = getattr(control, "in_channels" if adapter else "conditioning_channels")
        picture = pictures(given, channels) / 255
        where = "control_image" if name == ONE else f"control_image, {name}"
        wanted, found = sides(self.model), tuple(picture.shape[2:])
        if wanted is not None and found != wanted:
            raise InputError(
                f"{where}: expected {wanted[0]}×{wanted[1]} pixels (height × width), as the "
                f"model's pictures have; got {found[0]}×{found[1]}."
            )
        if count % len(picture):
            raise InputError(f"{where}: {len(picture)} pictures for {count} samples.")
        rows = picture.repeat_interleave(count // len(picture), 0)
        fitted: Tensor = self.model.cast(rows.to(self.model.device))
        return fitted


ONE = "control"
"""What a network is called that is the only one."""


def controlled(model: Model[Any], control: Networks, scale: Scales = 1.0) -> Model[Any]:
    """A model whose U-Net is told what control networks say; the weights are shared."""
    network = getattr(model.net, "network", None)
    if not isinstance(model.net, Denoiser) or not isinstance(network, UNet2DConditionModel):
        raise MismatchError(
            "Control: expected a model with a UNet2DConditionModel, of a folder of Stable "
            f"Diffusion; its network is a {type(network or model.net).__name__}."
        )
    several = _several(control)
    for one in several.values():
        _fits(network, one)
    each = scale if isinstance(scale, (Sequence, Mapping)) else dict.fromkeys(several, scale)
    scales = named(each, tuple(several), "Control.scale")
    told = {key: one.to(model.device) for key, one in several.items()}
    return model.replace(net=remade(model.net, model.schedule, Controlled(network, told, scales)))


def named(value: Any, names: Sequence[str], where: str) -> dict[str, Any]:
    """What there is one of for each control network, by name. Errors: more, fewer or others."""
    if isinstance(value, Mapping):
        if set(value) != set(names):
            raise InputError(
                f"{where}: expected one for each of {', '.join(names)}; got "
                f"{', '.join(map(str, value)) or 'none'}."
            )
        return {name: value[name] for name in names}
    if tuple(names) == (ONE,):
        return {ONE: value}
    if not isinstance(value, Sequence) or len(value) != len(names):
        got = len(value) if isinstance(value, Sequence) else type(value).__name__
        raise InputError(
            f"{where}: expected a list of {len(names)}, or a map, one for each of "
            f"{', '.join(names)}; got {got}."
        )
    return dict(zip(names, value, strict=True))


def _several(control: Any) -> dict[str, Any]:
    """Control networks by name. Errors: none of them."""
    if isinstance(control, Mapping):
        found = {str(name): one for name, one in control.items()}
    elif isinstance(control, Sequence):
        found = {f"{ONE}{i}": one for i, one in enumerate(control, 1)}
    else:
        found = {ONE: control}
    if not found:
        raise InputError("Control.control: expected a network or several; got none.")
    return found


def _fits(network: UNet2DConditionModel, control: Any) -> None:
    """Raise unless a control network was made for a U-Net such as this."""
    if not isinstance(control, (ControlNetModel, T2IAdapter)):
        raise InputError(
            "Control.control: expected a ControlNetModel or a T2IAdapter, as "
            f"diffusion.hub.component(folder) reads them; got {type(control).__name__}."
        )
    if isinstance(control, T2IAdapter):
        if control.channels != network.block_out_channels:
            raise MismatchError(
                f"Control: the adapter's channels are {control.channels}, the U-Net's "
                f"{network.block_out_channels}: it was trained for another model."
            )
        return
    for name in ("block_out_channels", "cross_attention_dim"):
        own, other = getattr(network, name), getattr(control, name)
        if own != other:
            raise MismatchError(
                f"Control: {name} is {own} in the U-Net and {other} in the ControlNet: it was "
                "trained for another model."
            )
