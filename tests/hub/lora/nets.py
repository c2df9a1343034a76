"""Small networks of every class, away from their initial weights."""

import torch

from diffusion.hub.part import Part

from ..cases import dit, flux, pixart, sd3, unet1d, unet2d, unet2d_condition, wan
from ..parity import Case


def _named(cases: list[Case], name: str) -> Case:
    return next(case for case in cases if case.name == name)


CASES = {
    "sd1": _named(unet2d_condition.CASES, "sd1"),
    "sdxl": _named(unet2d_condition.CASES, "sdxl"),
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
