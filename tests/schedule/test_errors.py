"""A schedule that can't work is an error when it is made or bound, and the error says why."""

import math

import pytest
import torch
from torch import Tensor

from diffusion.base import Schedule
from diffusion.errors import InputError
from diffusion.noise import Gaussian
from diffusion.schedule import Constant, Flow, Geometric, Karras, Linear, Sigmoid, Table


class Wave(Schedule):
    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(u), u * (1.5 - u)


class Broken(Schedule):
    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return 1 - u, u * math.nan


class Mirrored(Schedule):
    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return 1 - u, -u


class Empty(Schedule):
    pass


def table(*alpha: float) -> Table:
    return Table(len(alpha) - 1, torch.tensor(alpha, dtype=torch.float64))


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (table(1.0, 0.9, 1.05, 0.9), "not monotone: alpha-bar rises .* at t = 2"),
        (table(1.0, 0.9, math.nan, 0.9), "alpha-bar is nan at t = 2; expected finite"),
        (table(1.0, 0.9, math.inf, 0.9), "alpha-bar is inf at t = 2"),
        (table(1.0, 0.9, -0.5, 0.9), r"Each alpha_t must lie in \(0, 1\]"),
        (table(1.05, 0.9, 0.8), r"alpha_0 .* got 1.05"),
        (table(-1.0, -0.9, 0.8), r"alpha_0 .* got -1"),
        (table(1.0, 0.9, 1.0, 0.9), "step t = 2 adds no noise"),
        (table(1.0, 0.9, 0.0, 0.9), "step t = 3 adds no noise"),
        (Table(5, torch.ones(3)), r"Table.compute: expected .* shape \[6\]; got \[3\]"),
        (Table(2, [1.0, 0.9, 0.8]), r"shape \[3\]; got list"),
        (Wave(10), "Wave is not monotone"),
        (Broken(10), "Broken: alpha-bar is nan"),
        (Mirrored(10), "Mirrored.scales: expected signal >= 0 and sigma >= 0"),
        (Empty(10), r"Empty: a schedule implements `compute\(\)`"),
        (Linear(0), "Linear.steps: expected an integer >= 1, got 0"),
        (Flow(0), "Flow.steps: expected an integer >= 1, got 0"),
        (Linear(10, 0.9, 1.2), r"Linear: alpha-bar must lie in \[0, 1\]"),
    ],
)
def test_binding_names_the_fault(schedule, message):
    with pytest.raises(InputError, match=message):
        Gaussian().bind(schedule)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(10, 1.2), r"Constant.value: expected a number in \(0, 1\); got 1.2"),
        (lambda: Flow(10, shift=-1.0), "Flow.shift: expected a positive number"),
        (lambda: Sigmoid(10, 1.0, 0.0), "Sigmoid.end"),
        (lambda: Sigmoid(10, tau=0.0), "Sigmoid.tau: expected a positive number"),
        (lambda: Karras(10, low=90.0), "Karras.low, Karras.high: expected 0 < low < high"),
        (lambda: Geometric(10, low=0.0), "Geometric.low, Geometric.high"),
    ],
)
def test_construction_names_the_fault(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_tutorials_way_of_binding_is_checked_as_well():
    with pytest.raises(InputError, match="rises"):
        Gaussian().schedule(torch.tensor([1.0, 0.9, 1.1]))
