"""Rows: target = a·x + b·epsilon, solved back to (x, epsilon)."""

import math

import pytest
import torch

from diffusion.errors import InputError
from diffusion.noise import Gaussian
from diffusion.parameter import ROWS, Point, gain, solve
from diffusion.schedule import Cosine, Flow, Geometric, Karras, Linear, Sigmoid, ZeroTerminal

SCHEDULES = (
    Linear(20, 0.999, 0.7), Cosine(20), Sigmoid(20), Flow(20), Flow(20, shift=3.0), Karras(20),
    Geometric(20), ZeroTerminal(Linear(20, 0.999, 0.8)),
)  # fmt: skip
PATHS = ("schedule", "vp", "ve", "flow")
NEEDS_SIGNAL = ("epsilon", "score", "F")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def bound(name: str, schedule, path: str) -> Gaussian | None:
    """A bound noise, or None where binding rightly refuses."""
    silent = isinstance(schedule, (Flow, ZeroTerminal))
    try:
        return Gaussian(parameter=name, path=path).bind(schedule)
    except InputError:
        assert silent, "x is in z at every time of this schedule"
        assert path == "ve" or name in NEEDS_SIGNAL
        return None


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("name", ROWS)
def test_round_trip_at_every_time(name, schedule, path):
    """(x, epsilon) -> z and target -> (x, epsilon); what can't come back is an error when bound."""
    noise = bound(name, schedule, path)
    if noise is None:
        return
    steps = torch.arange(1, 21)
    for t in (steps, torch.linspace(0.01, 1, 20, dtype=torch.float64)):
        x, epsilon = torch.randn(2, 20, 5, dtype=torch.float64)
        signal, sigma = (v.unsqueeze(1) for v in noise.clock(t))
        z, hat = signal * x + sigma * epsilon, noise.target(name, x, epsilon, t).unsqueeze(0)
        # Rounding in z is divided by signal in x and by sigma in epsilon.
        close = {"rtol": 1e-10, "atol": 1e-10}
        torch.testing.assert_close(noise.predict(z, t, hat), x, **close)
        torch.testing.assert_close(noise.predict_epsilon(z, t, hat), epsilon, **close)


@pytest.mark.parametrize("name", NEEDS_SIGNAL)
@pytest.mark.parametrize("schedule", [Flow(10), ZeroTerminal(Linear(10, 0.99, 0.8))], ids=repr)
def test_what_cannot_come_back_is_an_error_when_bound(name, schedule):
    with pytest.raises(InputError, match=f"Gaussian\\(parameter='{name}'\\)"):
        Gaussian(parameter=name).bind(schedule)


@pytest.mark.parametrize("name", ROWS)
def test_host_numbers_and_tensors_solve_alike(name):
    noise = Gaussian(parameter=name).bind(Linear(20, 0.999, 0.7))
    solved = noise.solve(torch.arange(1, 21))
    rows = torch.stack([torch.as_tensor(v).expand(20) for v in solved])
    for t in range(1, 21):
        assert tuple(noise.solve(t)) == pytest.approx(rows[:, t - 1].tolist(), rel=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("name", ROWS)
def test_gain_is_how_an_error_in_x_shows_in_the_target(name, schedule):
    """At a fixed z, x + d means epsilon - d·signal/sigma, and a target that moves by d·gain."""
    noise = bound(name, schedule, "schedule")
    if noise is None:
        return
    t, h = torch.arange(1, 21), 1e-3
    signal, sigma = noise.clock(t)
    x, epsilon = torch.randn(2, 20, dtype=torch.float64)
    moved = noise.target(name, x + h, epsilon - h * signal / sigma, t)
    slope = (moved - noise.target(name, x, epsilon, t)) / h
    scale = 1 + slope.abs() + noise.gain(t).abs() + ((signal / sigma) ** 2).abs()
    torch.testing.assert_close(slope.abs() / scale, noise.gain(t).abs() / scale, rtol=0, atol=1e-9)


def test_rows_are_the_papers():
    signal, sigma = math.cos(0.4), math.sin(0.4)
    point = Point(signal, sigma, lambda: (-sigma, signal), 0.5)
    assert ROWS["v"](point) == (-sigma, signal)  # Salimans & Ho: alpha·epsilon - sigma·x
    assert ROWS["velocity"](point) == ROWS["v"](point)  # on the circle they are one
    assert ROWS["score"](point)[1] == -1 / sigma
    assert solve("v", point) == pytest.approx((signal, -sigma, sigma, signal))
    assert gain("x", point) == pytest.approx(-1)
    assert gain("epsilon", point) == pytest.approx(signal / sigma)


@pytest.mark.parametrize("sigma", [0.01, 0.5, 3.0, 80.0])
def test_the_row_f_is_edms_preconditioning(sigma):
    """Karras et al. 2022, table 1: D = c_skip·z + c_out·F, and c_in makes z a unit variable."""
    data = 0.5
    point = Point(1.0, sigma, lambda: (0.0, 1.0), data)
    row = solve("F", point)
    assert row.xz == pytest.approx(data**2 / (sigma**2 + data**2))
    assert row.xh == pytest.approx(sigma * data / math.hypot(sigma, data))
    a, b = ROWS["F"](point)
    assert math.hypot(a * data, b) == pytest.approx(1.0)  # a target of unit variance


def test_velocity_is_the_direction_of_a_straight_path():
    noise = Gaussian(parameter="velocity").bind(Flow(10))
    x, epsilon = torch.randn(2, 3, dtype=torch.float64)
    target = noise.target("velocity", x, epsilon, torch.tensor([1, 5, 10]))
    torch.testing.assert_close(target, epsilon - x, rtol=1e-9, atol=1e-9)
