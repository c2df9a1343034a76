"""Every schedule of the library, bound in 24 steps, and fixed seeds."""

import pytest
import torch

import diffusion.schedule as catalogue

SCHEDULES = [
    catalogue.Constant(24, 0.8),
    catalogue.Cosine(24),
    catalogue.Flow(24, shift=2.0),
    catalogue.Geometric(24),
    catalogue.Karras(24),
    catalogue.Linear(24, 0.999, 0.7),
    catalogue.Sigmoid(24),
    catalogue.Sqrt(24),
    catalogue.Table(24, torch.linspace(1.0, 0.5, 25)),
    catalogue.ZeroTerminal(catalogue.Linear(24, 0.999, 0.8)),
]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(params=SCHEDULES, ids=lambda schedule: type(schedule).__name__)
def schedule(request):
    return request.param


@pytest.fixture
def names():
    return {type(schedule).__name__ for schedule in SCHEDULES}


@pytest.fixture(params=["schedule", "vp", "ve", "flow"])
def path(request):
    return request.param
