"""`Normal` against torch.distributions, quadrature and its own samples."""

import math

import pytest
import torch
from torch.distributions import Normal as Reference
from torch.distributions import kl_divergence

from diffusion.distribution import Normal
from diffusion.rng import samples

DTYPES = (torch.float64, torch.float32, torch.bfloat16)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def pair(dtype=torch.float64, shape=(4, 3)):
    (m, n), (s, r) = torch.randn(2, *shape).to(dtype), (torch.rand(2, *shape) + 0.1).to(dtype)
    return Normal(m, s), Normal(n, r), Reference(m, s), Reference(n, r)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nll_and_dkl_are_torchs(dtype):
    one, two, first, second = pair(dtype)
    x = torch.randn(4, 3).to(dtype)
    close = {} if dtype != torch.bfloat16 else {"rtol": 0.1, "atol": 0.1}
    torch.testing.assert_close(one.nll(x), -first.log_prob(x), **close)
    torch.testing.assert_close(one.dkl(two), kl_divergence(first, second), **close)
    assert one.nll(x).dtype == dtype
    assert one.dkl(two).dtype == dtype


def test_a_number_for_sigma_is_every_elements():
    mu, x = torch.randn(2, 3, 4)
    one, full = Normal(mu, 0.7), Normal(mu, torch.full_like(mu, 0.7))
    torch.testing.assert_close(one.nll(x), full.nll(x))
    torch.testing.assert_close(one.dkl(Normal(x, 0.2)), full.dkl(Normal(x, torch.tensor(0.2))))
    rows = Normal(mu, torch.tensor([[0.1], [2.0], [0.5]]))
    torch.testing.assert_close(rows.nll(x)[1], Normal(mu[1], 2.0).nll(x[1]))


def test_divergence_is_zero_from_itself_and_positive_otherwise():
    one, two, _, _ = pair()
    torch.testing.assert_close(one.dkl(one), torch.zeros(4, 3).double())
    assert (one.dkl(two) > 0).all()


def test_a_sample_is_mu_plus_sigma_times_its_noise():
    one, _, _, _ = pair(shape=(20_000, 2))
    value, epsilon = one.sample()
    torch.testing.assert_close(value, one.mu + one.sigma * epsilon)
    assert (epsilon.mean(0).abs() < 0.03).all()
    assert (epsilon.std(0) - 1).abs().max() < 0.03
    assert abs(float((epsilon**3).mean())) < 0.1
    point, nothing = Normal(one.mu, 0.0).sample()
    assert torch.equal(point, one.mu)
    assert nothing is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sample_depends_on_its_own_seed_only(dtype):
    mu = torch.zeros(5, 3, 40, dtype=dtype)
    many, _ = Normal(mu, 1.0).sample(samples(3, 5))
    few, _ = Normal(mu[:2], 1.0).sample(samples(3, 2))
    alone, _ = Normal(mu[:1], 1.0).sample(samples(3, 1))
    assert many.dtype == dtype
    assert torch.equal(many[:2], few)
    assert torch.equal(many[:1], alone)
    assert not torch.equal(many[0], many[1])


def test_one_seed_gives_one_picture_in_every_half_precision():
    draws = [
        Normal(torch.zeros(2, 30, dtype=dtype), 1.0).sample(torch.Generator().manual_seed(1))[0]
        for dtype in (torch.float32, torch.bfloat16, torch.float16)
    ]
    for one in draws[1:]:
        torch.testing.assert_close(one.float(), draws[0], rtol=0.01, atol=0.01)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("sigma", [1e-3, 0.02, 0.5, 10.0])
@pytest.mark.parametrize("mu", [-3.0, -1.0, -0.31, 0.0, 0.99, 1.7])
def test_binned_likelihoods_sum_to_one(mu, sigma, dtype):
    width = 2 / 255
    bins = torch.linspace(-1, 1, 256, dtype=dtype)
    nats = Normal(torch.full_like(bins, mu), sigma).binned(bins, width)
    assert nats.isfinite().all()
    tight = dtype == torch.float64
    assert float((-nats).exp().sum()) == pytest.approx(1.0, abs=1e-9 if tight else 2e-3)


def test_binned_is_a_difference_of_distribution_functions():
    width, x = 2 / 255, torch.linspace(-1, 1, 256).double()[1:-1]
    reference = Reference(torch.tensor(0.2).double(), torch.tensor(0.3).double())
    mass = reference.cdf(x + width / 2) - reference.cdf(x - width / 2)
    found = Normal(torch.full_like(x, 0.2), 0.3).binned(x, width)
    torch.testing.assert_close(found, -mass.log(), rtol=1e-6, atol=1e-6)


def test_binned_keeps_its_digits_and_its_gradient_far_from_the_mean():
    """A confident, wrong decoder in float32: hundreds of nats, not infinity, and the way back."""
    x = torch.tensor([-0.8, -0.2, 0.0, 0.4, 0.9])
    for sigma in (0.005, 0.02, 0.2):
        mu = torch.full_like(x, 0.1, requires_grad=True)
        nats = Normal(mu, sigma).binned(x, 2 / 255)
        exact = Normal(torch.full_like(x, 0.1).double(), sigma).binned(x.double(), 2 / 255)
        torch.testing.assert_close(nats.double(), exact, rtol=0.02, atol=0.02)
        (gradient,) = torch.autograd.grad(nats.sum(), mu)
        assert gradient.isfinite().all()
        assert (gradient.sign() == (0.1 - x).sign()).all()


def test_a_density_integrates_to_one():
    x = torch.linspace(-20, 20, 20_001).double()
    law = Normal(torch.tensor(0.3).double(), torch.tensor(1.7).double())
    assert float(torch.trapezoid((-law.nll(x)).exp(), x)) == pytest.approx(1.0)
    assert float(law.nll(law.mu)) == pytest.approx(math.log(1.7 * math.sqrt(2 * math.pi)))


def test_moving_a_distribution_moves_its_tensors():
    moved = Normal(torch.zeros(2), torch.ones(2)).to(torch.float64)
    assert (moved.mu.dtype, moved.sigma.dtype) == (torch.float64, torch.float64)
    assert Normal(torch.zeros(2), 0.5).to(torch.float64).sigma == 0.5
