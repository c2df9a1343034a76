"""Every schedule of the library, in two sizes, and one that a user might write."""

import pytest
import torch
from torch import Tensor

import diffusion.schedule as catalogue
from diffusion.base import Schedule

EXAMPLES = {
    "Constant": lambda n: catalogue.Constant(n, 0.9),
    "Cosine": lambda n: catalogue.Cosine(n),
    "Flow": lambda n: catalogue.Flow(n, shift=3.0),
    "Geometric": lambda n: catalogue.Geometric(n),
    "Karras": lambda n: catalogue.Karras(n),
    "Linear": lambda n: catalogue.Linear(n, 0.999, 0.8),
    "LogLinear": lambda n: catalogue.LogLinear(n),
    "Scaled": lambda n: catalogue.Scaled(catalogue.Cosine(n), 0.3),
    "Sigmoid": lambda n: catalogue.Sigmoid(n),
    "Spectral": lambda n: catalogue.Spectral(n, torch.tensor([4.0, 0.3, 0.01]).double()),
    "Sqrt": lambda n: catalogue.Sqrt(n),
    "Table": lambda n: catalogue.Table(n, torch.linspace(1.0, 0.5, n + 1)),
    "ZeroTerminal": lambda n: catalogue.ZeroTerminal(catalogue.Linear(n, 0.999, 0.8)),
}


class Angle(Schedule):
    """A schedule of a user who thinks in scales."""

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return (u * 1.5).cos(), (u * 1.5).sin()


EXAMPLES["Angle"] = Angle


@pytest.fixture(params=sorted(EXAMPLES))
def make(request):
    """A function of the number of steps."""
    return EXAMPLES[request.param]


@pytest.fixture
def names():
    return set(EXAMPLES) - {"Angle"}
