"""Small networks of every class, away from their initial weights."""

from typing import Any

import torch

from diffusion.hub.part import Part

from ..cases import dit, flux, pixart, sd3, unet1d, unet2d, unet2d_condition, wan
from ..parity import Case


def _named(cases: list[Case], name: str) -> Case:
    return next(case for case in cases if case.name == name)


XL = {
    **unet2d_condition.SMALL, **unet2d_condition.TIMED, "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "use_linear_projection": True,
}  # fmt: skip
"""The order of levels of Stable Diffusion XL."""


def _xl() -> dict[str, Any]:
    states, sample = torch.randn(2, 7, 12), torch.randn(2, 4, 6, 10)
    return {"sample": sample, "timestep": torch.tensor([3, 900]), "encoder_hidden_states": states,
            "added_cond_kwargs": unet2d_condition.added()}  # fmt: skip


CASES = {
    "sd1": _named(unet2d_condition.CASES, "sd1"),
    "sdxl": Case("sdxl", unet2d_condition.UNet2DConditionModel, XL, _xl),
    "sd3": _named(sd3.CASES, "3.5-medium"),
    "flux": _named(flux.CASES, "dev"),
    "wan": _named(wan.CASES, "t2v"),
    "pixart": _named(pixart.CASES, "plain"),
    "dit": _named(dit.CASES, "plain"),
    "unet2d": _named(unet2d.CASES, "ddpm"),
    "unet1d": _named(unet1d.CASES, "default"),
}


def build(name: str) -> Part:
    """One of ours, the same each time."""
    torch.manual_seed(0)
    network = CASES[name].cls.build(CASES[name].config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.03)
    return network.eval()
