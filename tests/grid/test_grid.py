"""Grids: which times a sampling visits, for continuous and for integer times."""

import math
from itertools import pairwise

import pytest
import torch

import diffusion
from diffusion import data, grid, net, noise, schedule, time
from diffusion.errors import InputError
from diffusion.grid import Karras, Points, Spacing, Uniform
from diffusion.grid.inverse import at, ratio
from diffusion.grid.points import ALIGN
from diffusion.noise import Clock

CLOCKS = [
    Clock(schedule.Flow(1000)), Clock(schedule.Cosine(1000)), Clock(schedule.Linear(1000)),
    Clock(schedule.Karras(1000)), Clock(schedule.Geometric(1000)),
]  # fmt: skip
GRIDS = [
    Uniform(9), Uniform(9, power=1.5), Uniform(9, "flow"), Uniform(9, "flow", 1.5),
    Uniform(9, "angle", 2.0), Uniform(9, "sigma", 3.0), Uniform(9, "log_snr"),
    Uniform(9, "log_snr", low=0.05, high=10.0), Karras(9), Karras(9, power=3.0, low=0.02),
    Spacing(9), Spacing(9, "linspace"), Spacing(9, "trailing"), Points(9, (20.0, 2.0, 0.3, 0.05)),
    Points.align("sdxl", 9),
]  # fmt: skip


@pytest.mark.parametrize("clock", CLOCKS, ids=lambda clock: type(clock.inner).__name__)
@pytest.mark.parametrize("one", GRIDS, ids=repr)
@pytest.mark.parametrize("continuous", [True, False])
def test_times_fall_strictly_to_0(clock: Clock, one: grid.Uniform, continuous: bool) -> None:
    times = one.times(clock, continuous)
    assert len(times) == 10
    assert times[-1] == 0
    assert all(a > b for a, b in pairwise(times))
    assert {type(t) for t in times} == {float if continuous else int}
    assert times[0] <= (1.0 if continuous else 1000)


def levels(one: grid.Uniform, clock: Clock) -> list[float]:
    return [ratio(clock, t) for t in one.times(clock, True)]


def test_karras_is_the_formula_of_the_paper() -> None:
    found = levels(Karras(10, low=0.01, high=50.0), CLOCKS[1])
    for i, level in enumerate(found[:-1]):
        root = 50 ** (1 / 7) + i / 9 * (0.01 ** (1 / 7) - 50 ** (1 / 7))
        assert level == pytest.approx(root**7, rel=1e-6)
    assert found[-1] == 0


def test_steps_are_even_in_what_is_asked_for() -> None:
    clock = CLOCKS[1]
    for variable, of in {"flow": lambda r: r / (1 + r), "angle": math.atan}.items():
        found = [of(r) for r in levels(Uniform(8, variable, 1.5, high=30.0), clock)]
        roots = [v ** (1 / 1.5) for v in found]
        even = [a - b for a, b in pairwise(roots)]
        assert even == pytest.approx([even[0]] * 8, rel=1e-6)
    found = levels(Uniform(8, "log_snr", low=0.05, high=20.0), clock)[:-1]
    assert [a / b for a, b in pairwise(found)] == pytest.approx([400 ** (1 / 7)] * 7, rel=1e-6)


def test_a_power_of_flow_time_is_a_power_of_time_on_straight_paths() -> None:
    times = Uniform(10, "flow", 1.5).times(CLOCKS[0], True)
    assert times == pytest.approx([(1 - i / 10) ** 1.5 for i in range(11)], abs=1e-12)


def test_any_number_of_steps_ends_at_the_data() -> None:
    """Also where rounding would take the last root below 0."""
    for steps in range(1, 120):
        for clock in CLOCKS:
            assert len(Uniform(steps, "flow", 1.5).times(clock, True)) == steps + 1


def test_levels_and_times_are_inverse() -> None:
    for clock in CLOCKS:
        wanted = [0.9, 0.5, 0.1, 0.01]
        found = at(clock, [ratio(clock, u) for u in wanted], True)
        assert found == pytest.approx(wanted, abs=1e-9)
        steps = [900, 500, 100, 1]
        assert at(clock, [ratio(clock, t) for t in steps], False) == steps


def test_align_your_steps_at_its_own_number_of_steps() -> None:
    found = levels(Points.align("sd", 10), CLOCKS[1])
    assert found[:-1] == pytest.approx(list(ALIGN["sd"][:-1]), rel=1e-6)
    finer = levels(Points.align("sd", 20), CLOCKS[1])
    assert finer[0:20:2] == pytest.approx(list(ALIGN["sd"][:-1]), rel=1e-6)


def test_spacings_of_ten_steps_out_of_a_thousand() -> None:
    """Lin et al. 2023, table 2: our t is one more than Diffusers' timestep."""
    clock = CLOCKS[2]
    assert Spacing(10).times(clock, False) == [t + 1 for t in range(900, -1, -100)] + [0]
    assert Spacing(10, offset=1).times(clock, False) == [t + 2 for t in range(900, -1, -100)] + [0]
    assert Spacing(10, "trailing").times(clock, False) == [*range(1000, -1, -100)]
    assert Spacing(10, "linspace").times(clock, False) == [
        1000, 889, 778, 667, 556, 445, 334, 223, 112, 1, 0,
    ]  # fmt: skip


def model(**modules: object) -> diffusion.Model:
    torch.manual_seed(0)
    own: dict = {
        "data": data.Identity(torch.randn(16, 3), batch=8), "schedule": schedule.Cosine(50),
        "noise": noise.Gaussian("x"), "net": net.MLP(3),
    }  # fmt: skip
    return diffusion.Model(**{**own, **modules})


def test_models_are_sampled_on_grids() -> None:
    for one in (model(), model(time=time.Continuous(), schedule=schedule.Flow(50))):
        for wanted in (Karras(7), Uniform(7, "flow", 1.5), Spacing(7, "trailing")):
            assert len(list(one.stream(batch=2, steps=wanted, seed=0))) == 8
    joint = model()
    direct = joint.sample(batch=2, steps=Karras(7), seed=0)
    times = Karras(7).times(Clock(joint.schedule), False)
    torch.testing.assert_close(direct, joint.sample(batch=2, steps=times, seed=0))


def test_as_many_steps_as_there_are() -> None:
    """Rounded times that coincide make room for each other."""
    for wanted in (Karras(50), Uniform(50, "log_snr"), Uniform(50, "flow", 3.0)):
        assert wanted.times(Clock(schedule.Cosine(50)), False) == [*range(50, -1, -1)]


def test_wrong_grids_are_errors() -> None:
    with pytest.raises(InputError, match=r"Uniform.variable: .*'log_snr'"):
        Uniform(5, "logsnr")
    with pytest.raises(InputError, match=r"Karras.steps: expected at least 1; got 0"):
        Karras(0)
    with pytest.raises(InputError, match=r"Uniform.power: expected 1 for 'log_snr'"):
        Uniform(5, "log_snr", 2.0)
    with pytest.raises(InputError, match=r"Karras.low: expected less than high=0.1; got 0.5"):
        Karras(5, low=0.5, high=0.1)
    with pytest.raises(InputError, match=r"Points.ratios: expected positive numbers that fall"):
        Points(5, (1.0, 2.0))
    with pytest.raises(InputError, match=r"Points.align: .*sdxl"):
        Points.align("sdlx")
    with pytest.raises(InputError, match="60 is more than the schedule's 50 steps"):
        model().sample(batch=1, steps=Karras(60))
    with pytest.raises(InputError, match="must fall strictly"):
        model().sample(batch=1, steps=[50, 20, 30, 0])
