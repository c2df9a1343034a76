"""A model whose network is perfect."""

import torch
from torch import Tensor

import diffusion
from diffusion import data, noise, schedule, time
from diffusion.base import Net
from diffusion.exact import Mixture, beds

BED = beds()["three"]


class Perfect(Net):
    """The velocity of a mixture on the line, on straight paths."""

    def __init__(self, width: int = 1):
        self.weight = torch.nn.Parameter(torch.zeros(width, dtype=torch.float64))
        self.noise = noise.Gaussian("velocity").bind(schedule.Flow(1000))

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return BED.oracle(self.noise)(x, None, t.double())


def model(bed: Mixture = BED, **modules: object) -> diffusion.Model:
    w = bed.sample(64, torch.Generator().manual_seed(0))[0]
    own: dict = {
        "data": data.Identity(w, batch=8), "schedule": schedule.Flow(1000),
        "noise": noise.Gaussian("velocity"), "net": Perfect(), "time": time.Continuous(),
    }  # fmt: skip
    return diffusion.Model(**{**own, **modules})
