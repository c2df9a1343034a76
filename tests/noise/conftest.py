"""Every schedule of the library in 24 steps, categorical noises over 5 classes, a fixed seed."""

import pytest
import torch

import diffusion.schedule as catalogue
from diffusion.noise import Absorbing, Mixed, Structured, Uniform

SCHEDULES = [
    catalogue.Constant(24, 0.8),
    catalogue.Cosine(24),
    catalogue.Flow(24, shift=2.0),
    catalogue.Geometric(24),
    catalogue.Karras(24),
    catalogue.LogLinear(24),
    catalogue.Linear(24, 0.999, 0.7),
    catalogue.Sigmoid(24),
    catalogue.Sqrt(24),
    catalogue.Table(24, torch.linspace(1.0, 0.5, 25)),
    catalogue.ZeroTerminal(catalogue.Linear(24, 0.999, 0.8)),
    catalogue.Scaled(catalogue.Cosine(24), 0.3),
    catalogue.Spectral(24, torch.tensor([0.05, 2.0])),
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


K = 5
PI = torch.tensor([0.1, 0.0, 0.3, 0.2, 0.4], dtype=torch.float64)
SKEWED = torch.tensor(
    [
        [0.5, 0.3, 0.2, 0.0, 0.0],
        [0.1, 0.6, 0.1, 0.2, 0.0],
        [0.0, 0.3, 0.4, 0.3, 0.0],
        [0.0, 0.0, 0.2, 0.5, 0.3],
        [0.4, 0.0, 0.0, 0.3, 0.3],
    ],
    dtype=torch.float64,
)
NOISES = [
    Uniform(K), Absorbing(K), Absorbing(K, 1), Mixed(PI), Structured(SKEWED),
    Structured.banded(K), Structured.gaussian(K, 1.5),
]  # fmt: skip
IDS = [f"{type(n).__name__}{i}" for i, n in enumerate(NOISES)]


@pytest.fixture(params=NOISES, ids=IDS)
def noise(request):
    return request.param
