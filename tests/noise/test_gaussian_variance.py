"""The variance of p, and the soft binding that keeps likelihood losses finite at t = 1."""

import math

import pytest
import torch

from diffusion.errors import InputError
from diffusion.noise import Gaussian
from diffusion.schedule import Flow, Linear, ZeroTerminal
from diffusion.schedule.scales import bars

ROWS = ("x", "epsilon", "v", "score", "velocity", "F")


def bind(schedule, path="schedule", soft=False, **arguments) -> Gaussian | None:
    """None where the combination is rightly refused (see test_parameter)."""
    try:
        return Gaussian(path=path, **arguments).bind(schedule, soft)
    except InputError:
        return None


def posterior_bounds(schedule, t, s):
    """beta-tilde and beta of a variance-preserving jump from t to s."""
    bar = bars(schedule)
    beta = 1 - bar[t] / bar[s]
    return beta * (1 - bar[s]) / (1 - bar[t]), beta


@pytest.mark.parametrize(("t", "s"), [(24, 23), (24, 10), (2, 1), (12, 3)])
@pytest.mark.parametrize("host", [True, False])
def test_range_blends_between_the_two_bounds(t, s, host):
    """Nichol & Dhariwal 2021, equation 15."""
    schedule = Linear(24, 0.999, 0.7)
    noise = bind(schedule, variance="range")
    low, high = posterior_bounds(schedule, t, s)
    z, mean = torch.randn(3).double(), torch.randn(3).double()
    times = (t, s) if host else (torch.full((3,), t), torch.full((3,), s))
    for v, expected in ((-1.0, low), (1.0, high), (0.0, (low * high).sqrt())):
        p = noise.step(z, *times, torch.stack([mean, torch.full_like(mean, v)]))
        torch.testing.assert_close(p.sigma**2, expected.expand(3), rtol=1e-10, atol=1e-14)


def test_bounds_hold_for_point_masses_and_for_unit_normals(schedule, path):
    """-1 is the spread of x_s if x is known; +1 is its spread if x ~ N(0, 1): both are exact."""
    noise = bind(schedule, path, variance="range")
    if noise is None:
        return
    for t, s in ((24, 11), (3, 2), (0.8, 0.4)):
        (signal, sigma), (signal_s, sigma_s) = noise.clock(t), noise.clock(s)
        z, zero = torch.zeros(1).double(), torch.zeros(2, 1).double()
        low, high = (float(noise.step(z, t, s, zero + v).sigma) ** 2 for v in (-1, 1))
        known = noise.vary(variance="fixed").bridge(z, z, t, s)
        assert low == pytest.approx(float(known.sigma) ** 2, rel=1e-9)
        cross = signal * signal_s + sigma_s**2 * signal / signal_s  # Cov(x_t, x_s), a Markov chain
        spread = signal_s**2 + sigma_s**2 - cross**2 / (signal**2 + sigma**2)
        assert high == pytest.approx(spread, rel=1e-7)


def test_learned_is_the_log_variance():
    noise = bind(Linear(24, 0.999, 0.7), variance="learned")
    z, hat = torch.randn(3), torch.randn(2, 3)
    torch.testing.assert_close(noise.step(z, 5, 4, hat).sigma ** 2, hat[1].exp())


@pytest.mark.parametrize("variance", ["fixed", "range", "learned"])
@pytest.mark.parametrize("times", ["host", "tensor", "continuous"])
def test_the_last_step_ends_on_the_data_whatever_the_variance(variance, times):
    noise = bind(Linear(24, 0.999, 0.7), variance=variance)
    z, hat = torch.randn(3), torch.stack([torch.randn(3), torch.tensor([-1.0, 0.3, 1.0])])
    hat.requires_grad_()
    t, s = {
        "host": (1, 0),
        "tensor": (torch.tensor([1, 2, 24]), torch.tensor([0, 0, 0])),
        "continuous": (torch.tensor([0.1, 0.5, 1.0]), torch.zeros(3)),
    }[times]
    state = noise.step(z, t, s, hat).sample()[0]
    torch.testing.assert_close(state, hat[0])
    state.sum().backward()
    assert hat.grad.isfinite().all()


@pytest.mark.parametrize("parameter", ROWS)
def test_soft_binding_changes_nothing_from_the_first_step_on(schedule, path, parameter):
    hard, soft = (bind(schedule, path, v, parameter=parameter) for v in (False, True))
    if hard is None or soft is None:
        assert hard is soft
        return
    x, hat = torch.randn(24, 3).double(), torch.randn(1, 24, 3).double()
    t = torch.arange(1, 25)
    one, two = hard.prior(x, t), soft.prior(x, t)
    assert torch.equal(one.mu, two.mu)
    assert torch.equal(one.sigma, two.sigma)
    assert torch.equal(hard.predict(x, t, hat), soft.predict(x, t, hat))
    late = slice(1, None)  # every step but the one that ends at t = 0
    p, q = (noise.approximate(x[late], t[late], hat[:, late]) for noise in (hard, soft))
    assert torch.equal(p.mu, q.mu)
    assert torch.equal(p.sigma, q.sigma)
    assert hard.clock(0) == (1.0, 0.0)
    signal, sigma = soft.clock(0)
    assert hard.clock.kappa(1) ** 0.5 == pytest.approx(signal**2 / (signal**2 + sigma**2))


@pytest.mark.parametrize("variance", ["fixed", "range", "learned"])
@pytest.mark.parametrize("parameter", ROWS)
@pytest.mark.parametrize("path", ["schedule", "vp"])
def test_soft_likelihoods_and_gradients_are_finite_at_the_first_step(
    schedule, path, parameter, variance
):
    noise = bind(schedule, path, True, parameter=parameter, variance=variance)
    if noise is None:
        return
    x, z = torch.randn(2, 5)
    for t in (torch.ones(5, dtype=torch.long), torch.tensor([1, 2, 3, 23, 24])):
        hat = torch.randn(2, 5, requires_grad=True)
        q, p = noise.posterior(x, z, t), noise.approximate(z, t, hat)
        assert (torch.as_tensor(q.sigma) > 0).all()
        dkl, decoder = q.dkl(p), noise.decoder(z, t, hat).nll(x)
        # The bound evaluates both everywhere and picks: no gradient of the other may be NaN.
        for nats in (dkl, p.nll(x), torch.where(t <= 1, decoder, dkl)):
            assert nats.isfinite().all()
            (gradient,) = torch.autograd.grad(nats.sum(), hat, retain_graph=True)
            assert gradient.isfinite().all()


@pytest.mark.parametrize("variance", ["fixed", "range"])
def test_soft_likelihoods_are_finite_at_continuous_times_below_one_step(schedule, path, variance):
    """There x_s must still be less noisy than x_t, and not the data themselves."""
    noise = bind(schedule, path, True, variance=variance)
    if noise is None:
        return
    x, z = torch.randn(2, 6, dtype=torch.float64)
    t = torch.tensor([1e-3, 0.01, 0.03, 0.5 / 24, 1 / 24, 1.0], dtype=torch.float64)
    q, p = noise.posterior(x, z, t), noise.approximate(z, t, torch.zeros(2, 6).double())
    assert (q.sigma > 0).all()
    assert q.dkl(p).isfinite().all()
    for u, s in zip(t.tolist(), noise.before(t).tolist(), strict=True):
        assert noise.before(u) == s
        assert 0 < s < u
    hard = bind(schedule, path)
    assert torch.equal(torch.stack(hard.clock(t)), torch.stack(noise.clock(t)))
    assert hard.before(0.01) == 0.0


def test_the_divergence_of_a_step_is_the_weighted_error_of_the_mean():
    """With one variance, D(q || p) = (mu_q - mu_p)²/(2·variance): Ho et al. 2020, equation 8."""
    noise = bind(Linear(24, 0.999, 0.7), soft=True, parameter="epsilon")
    x, epsilon, error = torch.randn(3, 24, dtype=torch.float64)
    t = torch.arange(1, 25)
    signal, sigma = noise.clock(t)
    z = signal * x + sigma * epsilon
    dkl = noise.posterior(x, z, t).dkl(noise.approximate(z, t, (epsilon + error)[None]))
    before = noise.clock(t - 1)
    gap = (before[0] / before[1]) ** 2 - (signal / sigma) ** 2  # SNR(s) - SNR(t)
    expected = 0.5 * gap * (error * sigma / signal) ** 2  # Kingma et al. 2021, equation 14
    torch.testing.assert_close(dkl, expected, rtol=1e-8, atol=1e-10)


def test_the_decoder_is_a_density_of_the_data():
    """p(x_0 | x_1) keeps a width, even though sampling ends without one."""
    x = torch.linspace(-40, 40, 20_001).double()
    for variance in ("fixed", "range", "learned"):
        noise = bind(Linear(24, 0.9, 0.7), variance=variance)
        z, hat = torch.tensor([0.3]).double(), torch.tensor([[0.2], [-0.5]]).double()
        law = noise.decoder(z, torch.tensor([1]), hat)
        mass = torch.trapezoid((-law.nll(x)).exp(), x)
        assert float(mass) == pytest.approx(1.0, abs=1e-6)
        assert float(law.mu) == pytest.approx(0.2)


def test_one_step_of_pure_noise_can_be_bound_softly():
    for schedule in (Flow(1), ZeroTerminal(Linear(1, 0.9, 0.5))):
        noise = Gaussian(parameter="x").bind(schedule, soft=True)
        assert all(math.isfinite(v) for v in noise.clock(0))
        x, z = torch.randn(2, 3)
        q = noise.posterior(x, z, torch.ones(3, dtype=torch.long))
        assert q.mu.isfinite().all()
        assert (torch.as_tensor(q.sigma) > 0).all()
