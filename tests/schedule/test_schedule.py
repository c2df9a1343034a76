"""Alphas, alpha-bar and scales of every schedule agree, whichever of them it is written in."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import diffusion.schedule as catalogue
from diffusion.base import Schedule
from diffusion.noise.clock import PATHS, Clock, along
from diffusion.schedule import Cosine, Flow, Linear, Table, ZeroTerminal
from diffusion.schedule.scales import bars, scales_table, survival

SIZES = (1, 2, 7, 100)


def test_the_examples_cover_the_catalogue(names):
    assert names == set(catalogue.__all__)


@pytest.mark.parametrize("steps", SIZES)
def test_noise_only_grows_and_starts_from_the_data(make, steps):
    bar = bars(make(steps))
    assert bar.shape == (steps + 1,)
    assert bar.dtype == torch.float64
    assert bar[0] == 1
    assert (bar.diff() < 0).all()
    assert (bar >= 0).all()
    signal, sigma = scales_table(make(steps))
    assert (float(signal[0]), float(sigma[0])) == (1.0, 0.0)


@pytest.mark.parametrize("steps", SIZES)
def test_alphas_give_back_the_scales(make, steps):
    """compute -> cumulative product -> survival of scales."""
    alpha = make(steps).compute().double()
    bar = torch.cat([torch.ones(1).double(), alpha.cumprod(0)[1:]])
    torch.testing.assert_close(bar, survival(*scales_table(make(steps))), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("steps", SIZES)
def test_scales_pass_through_the_table(make, steps):
    u = torch.arange(1, steps + 1).double() / steps
    for here, there in zip(make(steps).scales(u), scales_table(make(steps)), strict=True):
        torch.testing.assert_close(here, there[1:], rtol=1e-9, atol=1e-12)


def test_snr_falls_between_the_steps_too(make):
    clock = Clock(make(13))
    signal, sigma = clock(torch.linspace(0, 1, 1001, dtype=torch.float64))
    assert ((sigma / signal).diff()[:-1] > 0).all()
    assert signal.isfinite().all()
    assert sigma.isfinite().all()


def test_a_table_of_a_schedules_alphas_is_that_schedule(make):
    one, two = make(20), Table(20, make(20).compute())
    torch.testing.assert_close(bars(one), bars(two), rtol=1e-12, atol=1e-14)


class Drawn(Schedule):
    """The scales of another schedule, so that the alphas have to be derived."""

    inner: Schedule

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner.scales(u)


def test_deriving_alphas_from_derived_scales_changes_nothing(make):
    inner = make(20)
    torch.testing.assert_close(bars(Drawn(20, inner)), bars(inner), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("path", PATHS)
def test_paths_keep_the_snr(make, path):
    schedule = make(20)
    ends_in_noise = scales_table(schedule)[0][-1] == 0
    if path == "ve" and ends_in_noise:
        with pytest.raises(ValueError, match="signal is 0 at t = T"):
            Clock(schedule, path)
        return
    clock, plain = Clock(schedule, path), Clock(schedule)
    for t in (torch.arange(21), torch.linspace(0, 1, 57, dtype=torch.float64)):
        (signal, sigma), (a, b) = clock(t), plain(t)
        torch.testing.assert_close(signal * b, sigma * a, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(clock.kappa(t), plain.kappa(t), rtol=1e-9, atol=1e-12)
        size = {"vp": signal**2 + sigma**2, "ve": signal, "flow": signal + sigma}.get(path)
        if size is not None:
            torch.testing.assert_close(size, torch.ones_like(size), rtol=1e-12, atol=1e-12)


def test_host_numbers_and_tensors_tell_the_same_time(make):
    clock = Clock(make(9))
    signal, sigma = clock(torch.arange(10))
    for t in range(10):
        assert clock(t) == (float(signal[t]), float(sigma[t]))
        assert clock(t / 9) == pytest.approx(clock(t), rel=1e-9, abs=1e-12)
    for u in (0.0, 0.013, 0.5, 1.0):
        point = torch.tensor([u], dtype=torch.float64)
        assert clock(u) == pytest.approx([float(v) for v in clock(point)], rel=1e-15)
        assert clock.rates(u) == pytest.approx([float(v) for v in clock.rates(point)], rel=1e-9)


def test_a_time_changed_in_place_is_a_new_time(make):
    clock = Clock(make(9))
    u = torch.tensor([0.2, 0.4], dtype=torch.float64)
    clock(u)
    u += 0.3
    torch.testing.assert_close(torch.stack(clock(u)), torch.stack(clock(u.clone())))
    with torch.inference_mode():
        u = torch.tensor([0.2, 0.4], dtype=torch.float64)
        clock(u)
        u += 0.3
        torch.testing.assert_close(torch.stack(clock(u)), torch.stack(clock(u.clone())))


def test_rates_are_the_slopes_of_the_scales(make):
    clock = Clock(make(10))
    u, h = torch.linspace(0.02, 0.97, 20, dtype=torch.float64), 1e-6
    u = u + 1e-4  # between the steps, where a table has its kinks
    rates = torch.stack([torch.as_tensor(rate).expand_as(u) for rate in clock.rates(u)])
    slope = (torch.stack(clock(u + h)) - torch.stack(clock(u - h))) / (2 * h)
    torch.testing.assert_close(rates, slope, rtol=1e-5, atol=1e-6)


class Slower(Flow):
    """Other scales than those whose slopes it inherits."""

    def scales(self, u):
        return 1 - u**2, u**2


def test_a_subclass_has_the_slopes_of_its_own_scales():
    signal, sigma = Clock(Slower(10)).rates(torch.tensor([0.25, 0.5], dtype=torch.float64))
    torch.testing.assert_close(sigma, torch.tensor([0.5, 1.0], dtype=torch.float64))
    torch.testing.assert_close(signal, -sigma)


def test_an_alpha_below_one_at_the_start_moves_into_the_first_step():
    alpha = torch.tensor([0.9, 0.8, 0.7], dtype=torch.float64)
    torch.testing.assert_close(bars(Table(2, alpha)), torch.tensor([1, 0.72, 0.504]).double())


def test_zero_terminal_ends_without_signal_and_keeps_the_first_step():
    inner = Linear(50, 0.999, 0.8)
    bar = bars(ZeroTerminal(inner))
    assert bar[-1] == 0
    assert float(bar[1]) == pytest.approx(float(bars(inner)[1]), rel=1e-12)
    gaps = bar.sqrt()[1:].diff() / bars(inner).sqrt()[1:].diff()
    torch.testing.assert_close(gaps, gaps[:1].expand_as(gaps))


def test_a_single_step_to_pure_noise_is_a_straight_path():
    clock = Clock(Table(1, torch.tensor([1.0, 0.0])), "flow")
    assert clock(0.25) == pytest.approx((0.75, 0.25))


@pytest.mark.parametrize("shift", [0.1, 0.3, 1.0, 1 / 3, 3.0, 7.7])
def test_flow_ends_in_pure_noise_exactly(shift):
    assert Clock(Flow(10, shift))(10) == (0.0, 1.0)
    assert Clock(Flow(10, shift))(1.0) == (0.0, 1.0)


def test_linear_is_the_schedule_of_ho_et_al():
    beta = 1 - Linear(1000, 0.9999, 0.98).compute()
    assert float(beta[0]) == pytest.approx(1e-4)
    assert float(beta[-1]) == pytest.approx(0.02)
    assert float(bars(Linear(1000, 0.9999, 0.98))[-1]) == pytest.approx(4.0e-5, rel=0.02)


def test_cosine_is_equation_17():
    def f(t):
        return math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    for t in (1, 10, 500, 990):
        assert float(bars(Cosine(1000))[t]) == pytest.approx(f(t) / f(0), rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0.05, 0.999), min_size=1, max_size=30),
    st.floats(0, 1),
    st.sampled_from(("schedule", "vp", "ve", "flow")),
)
def test_any_table_interpolates_monotonically_between_its_steps(alpha, part, path):
    schedule = Table(len(alpha), torch.tensor([1.0, *alpha], dtype=torch.float64))
    clock, steps = Clock(schedule, path), len(alpha)
    for t in range(steps):
        inside = clock.kappa((t + part) / steps)
        assert clock.kappa(t + 1) - 1e-9 <= inside <= clock.kappa(t) + 1e-9


def test_along_rejects_an_unknown_path():
    with pytest.raises(ValueError, match="Did you mean 'flow'"):
        along("flwo", torch.ones(1), torch.ones(1))


def test_log_linear_loses_tokens_evenly():
    u = torch.linspace(0, 1, 9, dtype=torch.float64)
    torch.testing.assert_close(Clock(catalogue.LogLinear(8)).kappa(u), 1 - u)
