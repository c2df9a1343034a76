"""Gaussian bridges against closed forms: composition, marginals, DDPM, DDIM, Euler."""

from types import SimpleNamespace

import pytest
import torch

import diffusion.schedule as catalogue
from diffusion.errors import InputError
from diffusion.noise import Gaussian
from diffusion.noise.clock import Clock
from diffusion.parameter import ROWS
from diffusion.schedule import Flow, Geometric, Karras, Linear
from diffusion.schedule.scales import bars

ETAS = (0.0, 0.3, 0.7, 1.0)
TRIPLES = ((24, 13, 5), (3, 2, 1), (20, 19, 18), (24, 1, 0), (1.0, 0.37, 0.02), (0.5, 0.2, 0.0))


def bind(schedule, path="schedule", **arguments) -> Gaussian:
    if path == "ve" and Clock(schedule)(schedule.steps)[0] == 0:
        path = "vp"  # VE has no scale for pure noise, which is an error when bound
    return Gaussian(path=path, **arguments).bind(schedule)


def moments(law) -> tuple[float, float]:
    return float(law.mu), float(law.sigma) ** 2


def affine(noise, t, s) -> SimpleNamespace:
    """The bridge's mean as on_x·x + on_z·z, and its variance."""
    one, zero = torch.ones(1).double(), torch.zeros(1).double()
    on_x, variance = moments(noise.bridge(one, zero, t, s))
    return SimpleNamespace(x=on_x, z=moments(noise.bridge(zero, one, t, s))[0], v=variance)


def test_the_schedules_cover_the_catalogue(names):
    assert names == set(catalogue.__all__)


@pytest.mark.parametrize("eta", ETAS)
def test_the_bridge_of_a_marginal_is_the_marginal(schedule, path, eta):
    """x_t ~ q(x_t|x_0), then the bridge: mean signal_s·x, variance sigma_s², whatever eta is."""
    noise = bind(schedule, path, eta=eta)
    for t, s, _ in TRIPLES:
        (signal, sigma), (signal_s, sigma_s) = noise.clock(t), noise.clock(s)
        a = affine(noise, t, s)
        assert a.x + a.z * signal == pytest.approx(signal_s, rel=1e-9, abs=1e-12)
        assert a.z**2 * sigma**2 + a.v == pytest.approx(sigma_s**2, rel=1e-9, abs=1e-12)
        prior = noise.prior(torch.tensor([2.0]).double(), s)
        assert moments(prior) == pytest.approx((2 * signal_s, sigma_s**2))


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_two_bridges_make_one(schedule, path, eta):
    """r < s < t: the moments of x_r through x_s are those of the bridge from t to r."""
    noise, close = bind(schedule, path, eta=eta), {"rel": 1e-8, "abs": 1e-10}
    for t, s, r in TRIPLES:
        first, then, whole = affine(noise, t, s), affine(noise, s, r), affine(noise, t, r)
        assert then.x + then.z * first.x == pytest.approx(whole.x, **close)
        assert then.z * first.z == pytest.approx(whole.z, **close)
        assert then.z**2 * first.v + then.v == pytest.approx(whole.v, **close)


def test_between_ddim_and_ddpm_a_path_depends_on_its_stops():
    """Song et al. 2021's eta scales the variance of one jump: many small jumps add more noise."""
    noise = bind(Linear(24, 0.999, 0.7), eta=0.5)
    first, then, whole = affine(noise, 24, 13), affine(noise, 13, 5), affine(noise, 24, 5)
    assert then.z**2 * first.v + then.v > whole.v * 1.01


def test_eta_one_is_the_posterior_of_ho_et_al():
    """Equation 7, from alpha and alpha-bar (delta), at every t."""
    schedule = Linear(50, 0.9999, 0.8)
    delta, noise = bars(schedule), bind(schedule)
    alpha = torch.cat([delta[:1], delta[1:] / delta[:-1]])
    x, z = torch.randn(2, 50, 3, dtype=torch.float64)
    t = torch.arange(1, 51)
    a, d, e = (v.unsqueeze(1) for v in (alpha[t], delta[t], delta[t - 1]))
    mean = e.sqrt() * (1 - a) / (1 - d) * x + a.sqrt() * (1 - e) / (1 - d) * z
    q = noise.posterior(x, z, t)
    torch.testing.assert_close(q.mu, mean, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(q.sigma**2, (1 - e) / (1 - d) * (1 - a), rtol=1e-10, atol=1e-14)


def test_eta_zero_is_ddim():
    """Song et al. 2021, equation 12 with sigma = 0: the predicted noise is put back."""
    schedule = Linear(50, 0.9999, 0.8)
    bar, noise = bars(schedule), bind(schedule, parameter="epsilon", eta=0.0)
    z, epsilon = torch.randn(2, 4, dtype=torch.float64)
    for t, s in ((50, 40), (7, 6), (1, 0)):
        x = (z - (1 - bar[t]).sqrt() * epsilon) / bar[t].sqrt()
        p = noise.step(z, t, s, epsilon.unsqueeze(0))
        expected = bar[s].sqrt() * x + (1 - bar[s]).sqrt() * epsilon
        torch.testing.assert_close(p.mu, expected, rtol=1e-10, atol=1e-12)
        assert p.sigma == 0


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("path", ["schedule", "flow"])
def test_on_a_straight_path_eta_zero_is_eulers_step(path, shift):
    noise = bind(Flow(20, shift), path, parameter="velocity", eta=0.0)
    z, hat = torch.randn(4).double(), torch.randn(1, 4).double()
    for t, s in ((20, 13), (0.7, 0.65), (1, 0)):
        sigma, sigma_s = noise.clock(t)[1], noise.clock(s)[1]
        velocity = hat[0] / noise.clock.rates(t)[1]  # dz/dsigma, as sigma is the flow's own time
        expected = z + (sigma_s - sigma) * velocity
        torch.testing.assert_close(noise.step(z, t, s, hat).mu, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("schedule", [Karras(20), Geometric(20)], ids=repr)
def test_on_an_exploding_path_eta_zero_is_eulers_step_in_sigma(schedule):
    noise = bind(schedule, parameter="epsilon", eta=0.0)
    z, hat = torch.randn(4).double(), torch.randn(1, 4).double()
    expected = z + (noise.clock(8)[1] - noise.clock(13)[1]) * hat[0]
    torch.testing.assert_close(noise.step(z, 13, 8, hat).mu, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("eta", ETAS)
@pytest.mark.parametrize("parameter", ROWS)
@pytest.mark.parametrize("path", ["schedule", "vp"])
def test_a_step_is_the_bridge_to_the_prediction(parameter, path, eta):
    noise = bind(Linear(24, 0.999, 0.7), path, parameter=parameter, eta=eta)
    z, hat = torch.randn(6, 3).double(), torch.randn(1, 6, 3).double()
    t, s = torch.tensor([24, 20, 12, 5, 2, 1]), torch.tensor([10, 19, 0, 3, 1, 0])
    step, bridge = noise.step(z, t, s, hat), noise.bridge(noise.predict(z, t, hat), z, t, s)
    torch.testing.assert_close(step.mu, bridge.mu, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(step.sigma, bridge.sigma)
    one = noise.approximate(z[2:], t[2:], hat[:, 2:])
    torch.testing.assert_close(one.mu, noise.step(z[2:], t[2:], t[2:] - 1, hat[:, 2:]).mu)


def test_paths_are_one_process_in_different_units(schedule, path):
    """A step along a path is the schedule's own step, rescaled."""
    noise, plain = bind(schedule, path), bind(schedule)
    x, z = torch.randn(2, 4, dtype=torch.float64)
    for t, s in ((24, 11), (2, 1), (1, 0)):
        here, there = (noise.clock(v)[1] / plain.clock(v)[1] if v else 1.0 for v in (t, s))
        rescaled, own = noise.bridge(x, z * here, t, s), plain.bridge(x, z, t, s)
        torch.testing.assert_close(rescaled.mu, own.mu * there, rtol=1e-9, atol=1e-9)
        assert rescaled.sigma == pytest.approx(own.sigma * there, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("parameter", ROWS)
def test_at_time_zero_an_oracle_is_exactly_the_data(schedule, parameter):
    """Contract 1: nothing of the noise is left, with host times and with times [b]."""
    try:
        noise = bind(schedule, parameter=parameter)
    except InputError:
        return  # no such target at t = T; test_parameter proves that the error is due
    x, epsilon = torch.randn(2, 4, dtype=torch.float64)
    for t in (torch.full((4,), 24), torch.tensor([1, 2, 12, 24])):
        signal, sigma = noise.clock(t)
        z = signal * x + sigma * epsilon
        p = noise.step(z, t, torch.zeros_like(t), noise.target(parameter, x, epsilon, t)[None])
        assert not p.sigma.any()
        torch.testing.assert_close(p.sample()[0], x, rtol=1e-9, atol=1e-9)
    law = noise.bridge(x, epsilon, 3, 0)
    assert law.sample() == (law.mu, None)
    assert torch.equal(law.mu, x)


@pytest.mark.parametrize("steps", [1, 2, 24])
def test_stationary_has_the_spread_of_unit_data_at_the_end(steps):
    for schedule in (Flow(steps), Karras(steps), Linear(steps, 0.99, 0.8)):
        noise = bind(schedule)
        law, (signal, sigma) = noise.stationary((2, 3)), noise.clock(steps)
        assert law.mu.shape == (2, 3)
        assert law.sigma == pytest.approx((signal**2 + sigma**2) ** 0.5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_states_keep_their_dtype_and_shape(schedule, dtype):
    for parameter in ("x", "v"):
        noise = bind(schedule, parameter=parameter)
        x, hat = torch.randn(3, 2, 5, 7).to(dtype), torch.randn(1, 3, 2, 5, 7).to(dtype)
        for t, s in ((7, 3), (0.5, 0.25), (torch.tensor([24, 7, 1]), torch.tensor([3, 2, 0]))):
            z, epsilon = noise.prior(x, t).sample()
            for state in (
                z, epsilon, noise.step(z, t, s, hat).sample()[0], noise.predict(z, t, hat),
                noise.bridge(x, z, t, s).sample()[0], noise.target("v", x, epsilon, t),
                noise.inputs(z, t),
            ):  # fmt: skip
                assert (state.dtype, state.shape) == (dtype, x.shape)


def test_network_inputs_have_unit_variance_on_exploding_paths():
    x, epsilon = torch.randn(2, 100_000, dtype=torch.float64)
    for t in (1, 10, 20):
        for noise, spread in (
            (bind(Karras(20)), 1.0),
            (bind(Karras(20), parameter="F", sigma_data=0.5), 0.5),
            (bind(Flow(20), "vp", parameter="v"), 1.0),
        ):
            signal, sigma = noise.clock(t)
            shown = noise.inputs(spread * signal * x + sigma * epsilon, t)
            assert float(shown.std()) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parameter": "epsilom"}, "Gaussian.parameter: .* Did you mean 'epsilon'"),
        ({"variance": "learnt"}, "Gaussian.variance: .* Did you mean 'learned'"),
        ({"path": "edm"}, "Gaussian.path: expected one of schedule, vp, ve, flow; got 'edm'"),
        ({"eta": 1.5}, r"Gaussian.eta: expected a number in \[0, 1\]; got 1.5"),
        ({"sigma_data": 0.0}, "Gaussian.sigma_data: expected a positive number"),
    ],
)
def test_misspelt_arguments_are_errors(arguments, message):
    with pytest.raises(InputError, match=message):
        Gaussian(**arguments)


def test_an_unbound_noise_says_how_to_bind_it():
    with pytest.raises(InputError, match=r"not bound to a schedule yet: noise.bind\(schedule\)"):
        Gaussian().prior(torch.zeros(1), 1)
