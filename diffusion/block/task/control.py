"""Pictures of prompts and of a picture that says where things are: edges, depth, poses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch

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


def Control(
    model: Model[Any], control: Module, steps: Any = 50, sampler: Scheduler = None,
    guidance: Guidance | None = None, each: Mapping[str, Block] | None = None,
    output: Kind = "pil", progress: bool = False, scale: float = 1.0,
) -> Pipeline:  # fmt: skip
    """The pipeline from prompts and a picture of control to pictures.

        control = diffusion.hub.component("sd-controlnet-canny")
        Control(model, control)(prompt="a house", control_image=edges, seed=0)

    Args:
        model: of a Diffusers folder, with a U-Net that reads text.
        control: a `ControlNetModel` or a `T2IAdapter`. scale: of what it adds.
        steps, sampler, guidance, each, output, progress: as for `TextToImage`.

    Inputs: `control_image` (see `Read`), one, or one for each prompt or sample, and those of
    `TextToImage`. Guidance sees it on both sides. Errors: networks that do not go together.
    """
    prompted("Control", model)
    model = controlled(scheduled(model, sampler), control, scale)
    adapter = control if isinstance(control, T2IAdapter) else None
    attach = Attach(model, _channels(control), adapter)
    blocks = made(model, steps, None, guidance, each, output, progress)
    return Pipeline(outputs=outputs(blocks), **asked(model), attach=attach, **blocks)


class Attach(Block):
    """A picture beside the conditions, for a control network, or its features for the U-Net.

    Args:
        model: whose size it has. channels: of the picture. adapter: what makes features of it.
    """

    model: Model[Any]
    channels: int = 3
    adapter: Module | None = None

    def __call__(
        self, conditions: Any, control_image: Any, batch: int | None = None
    ) -> Annotated[Any, "conditions"]:
        picture = pictures(control_image, self.channels) / 255
        wanted, found = sides(self.model), tuple(picture.shape[2:])
        if wanted is not None and found != wanted:
            raise InputError(
                f"control_image: expected {wanted[0]}×{wanted[1]} pixels (height × width), as the "
                f"model's pictures have; got {found[0]}×{found[1]}."
            )
        count = batch or tree.size(conditions)
        if count % len(picture):
            raise InputError(f"control_image: {len(picture)} pictures for {count} samples.")
        device = self.model.device
        picture = self.model.cast(picture.repeat_interleave(count // len(picture), 0).to(device))
        if self.adapter is None:
            return with_kept(conditions, control=picture)
        with torch.no_grad():
            features = self.adapter(picture)
        return with_kept(conditions, features={str(i): one for i, one in enumerate(features)})


def controlled(model: Model[Any], control: Module, scale: float = 1.0) -> Model[Any]:
    """A model whose U-Net is told what a control network says; the weights are shared."""
    network = getattr(model.net, "network", None)
    if not isinstance(model.net, Denoiser) or not isinstance(network, UNet2DConditionModel):
        raise MismatchError(
            "Control: expected a model with a UNet2DConditionModel, of a folder of Stable "
            f"Diffusion; its network is a {type(network or model.net).__name__}."
        )
    if not isinstance(control, (ControlNetModel, T2IAdapter)):
        raise InputError(
            "Control.control: expected a ControlNetModel or a T2IAdapter, as "
            f"diffusion.hub.component(folder) reads them; got {type(control).__name__}."
        )
    for name in ("block_out_channels", "cross_attention_dim"):
        own, other = getattr(network, name), getattr(control, name, None)
        if isinstance(control, ControlNetModel) and own != other:
            raise MismatchError(
                f"Control: {name} is {own} in the U-Net and {other} in the ControlNet: it was "
                "trained for another model."
            )
    if isinstance(control, T2IAdapter) and control.channels != network.block_out_channels:
        raise MismatchError(
            f"Control: the adapter's channels are {control.channels}, the U-Net's "
            f"{network.block_out_channels}: it was trained for another model."
        )
    told = control.to(model.device) if isinstance(control, ControlNetModel) else None
    wrapped = Controlled(network, told, scale)
    return model.replace(net=remade(model.net, model.schedule, wrapped))


def _channels(control: Module) -> int:
    name = "conditioning_channels" if isinstance(control, ControlNetModel) else "in_channels"
    return int(getattr(control, name))
