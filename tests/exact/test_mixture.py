"""The mixture's closed forms against quadrature, automatic derivatives and each other."""

import math

import pytest
import torch

from diffusion.errors import InputError
from diffusion.exact import Mixture
from diffusion.noise import Gaussian
from diffusion.parameter import ROWS
from diffusion.rng import samples
from diffusion.schedule import Flow, Karras, Linear

LEVELS = [(1.0, 0.5), (0.6, 0.8), (0.0, 1.0), (1.0, 80.0), (1.0, 0.01), (0.3, 0.7)]
LINE = Mixture(
    torch.tensor([2.0, 1.0, 1.0]),
    torch.tensor([-1.0, 0.5, 2.0]).double(),
    torch.tensor([0.3, 0.1, 0.6]),
)
COVARIANCES = torch.tensor(
    [[[0.5, 0.2, 0.0], [0.2, 0.4, 0.1], [0.0, 0.1, 0.3]], [[0.1, 0, 0], [0, 0.2, 0], [0, 0, 0]]]
).double()
SPACE = Mixture(
    torch.tensor([0.3, 0.7]),
    torch.tensor([[0.0, 1.0, -1.0], [1.0, 0.0, 0.5]]).double(),
    covariances=COVARIANCES,
)
PICTURE = Mixture(torch.ones(2), torch.randn(2, 3, 4).double(), torch.rand(2, 3, 4) + 0.1)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("signal", "sigma"), LEVELS)
def test_one_dimension_against_quadrature(signal, sigma):
    """p(z) = ∫ p(x) N(z; signal·x, sigma²) dx, and the moments of p(x | z) likewise."""
    x = torch.linspace(-8, 8, 100_001).double()
    z = (
        signal * torch.tensor([-2.0, 0.3, 1.1]).double()
        + sigma * torch.tensor([0.5, -1, 0]).double()
    )
    prior = LINE.log_density(x)
    assert float(torch.trapezoid(prior.exp(), x)) == pytest.approx(1.0, abs=1e-9)
    for one in z:
        scale = -0.5 * ((one - signal * x) / sigma) ** 2 - math.log(sigma * math.sqrt(2 * math.pi))
        joint = (prior + scale).exp()
        mass = torch.trapezoid(joint, x)
        mean = torch.trapezoid(joint * x, x) / mass
        spread = torch.trapezoid(joint * (x - mean) ** 2, x) / mass
        at = one.reshape(1)
        assert float(LINE.log_density(at, signal, sigma)) == pytest.approx(
            float(mass.log()), abs=1e-6
        )
        assert float(LINE.denoise(at, signal, sigma)) == pytest.approx(float(mean), abs=1e-6)
        assert float(LINE.covariance(at, signal, sigma)) == pytest.approx(float(spread), abs=1e-6)


@pytest.mark.parametrize("mixture", [LINE, SPACE, PICTURE], ids=["line", "space", "picture"])
@pytest.mark.parametrize(("signal", "sigma"), LEVELS)
@pytest.mark.parametrize("y", [None, torch.tensor([0, 1, 2, 1])], ids=["marginal", "given"])
def test_tweedies_formulas(mixture, signal, sigma, y):
    """score = ∇log p; E[x|z] = (z + sigma²·score)/signal; Cov = sigma²/signal · ∂E[x|z]/∂z."""
    z = mixture.sample(4, signal=signal, sigma=sigma)[0].requires_grad_()
    (score,) = torch.autograd.grad(mixture.log_density(z, signal, sigma, y).sum(), z)
    torch.testing.assert_close(mixture.score(z, signal, sigma, y), score, rtol=1e-8, atol=1e-9)
    if signal == 0:
        return
    mean = mixture.denoise(z, signal, sigma, y)
    expected = (z + sigma**2 * score) / signal
    torch.testing.assert_close(mean, expected, rtol=1e-7, atol=1e-7)
    rows = (
        [torch.autograd.grad(v.sum(), z, retain_graph=True)[0] for v in mean.flatten(1).T]
        if (mean.dim() > 1)
        else [torch.autograd.grad(mean.sum(), z)[0]]
    )
    jacobian = torch.stack([row.reshape(4, -1) for row in rows], 1)
    covariance = mixture.covariance(z, signal, sigma, y)
    torch.testing.assert_close(covariance, sigma**2 / signal * jacobian, rtol=1e-6, atol=1e-8)


def test_pure_noise_says_nothing():
    z = torch.randn(5, 3).double()
    mean, covariance = SPACE.moments()
    torch.testing.assert_close(SPACE.denoise(z, 0.0, 1.0), mean.expand(5, 3))
    torch.testing.assert_close(SPACE.covariance(z, 0.0, 1.0), covariance.expand(5, 3, 3))
    torch.testing.assert_close(
        SPACE.responsibilities(z, 0.0, 1.0), SPACE.weights.double().expand(5, 2)
    )


def test_no_noise_says_everything():
    x, y = SPACE.sample(6)
    torch.testing.assert_close(SPACE.denoise(x, 1.0, 0.0, y), x)
    points = Mixture(torch.ones(3), torch.tensor([[0.0], [1.0], [4.0]]), 0.0)
    here = points.sample(8)[0]
    assert torch.equal(points.denoise(here, 1.0, 0.0), here)


def test_samples_have_the_moments():
    for mixture, level in ((SPACE, (1.0, 0.0)), (SPACE, (0.6, 0.8)), (LINE, (0.5, 2.0))):
        z, y = mixture.sample(40_000, torch.Generator().manual_seed(1), *level)
        mean, covariance = mixture.moments(*level)
        flat = z.reshape(len(z), -1)
        assert (flat.mean(0) - mean).abs().max() < 0.03
        assert (flat.T.cov().reshape(covariance.shape) - covariance).abs().max() < 0.06
        share = torch.stack([(y == k + 1).double().mean() for k in range(len(mixture.means))])
        weights = mixture.weights.double() / mixture.weights.sum()
        torch.testing.assert_close(share, weights, rtol=0, atol=0.01)


def test_a_sample_depends_on_its_own_seed_only():
    many, _ = SPACE.sample(5, samples(7, 5))
    few, _ = SPACE.sample(3, samples(7, 3))
    assert torch.equal(many[:3], few)


def test_labels_name_components():
    z = torch.randn(6, 3).double()
    y = torch.tensor([0, 1, 2, 0, 1, 2])
    answer = SPACE.denoise(z, 0.6, 0.8, y)
    torch.testing.assert_close(answer[0::3], SPACE.denoise(z, 0.6, 0.8)[0::3])
    for label in (1, 2):
        alone = SPACE.given(label).denoise(z, 0.6, 0.8)
        torch.testing.assert_close(answer[label::3], alone[label::3])
    weighted = (
        SPACE.log_density(z, 0.6, 0.8, y * 0 + k + 1) + math.log(w) for k, w in ((0, 0.3), (1, 0.7))
    )
    torch.testing.assert_close(
        torch.stack(list(weighted)).logsumexp(0), SPACE.log_density(z, 0.6, 0.8)
    )


def test_noise_levels_may_differ_by_sample():
    z = torch.randn(3, 3).double()
    signal, sigma = torch.tensor([1.0, 0.6, 0.1]), torch.tensor([0.2, 0.8, 2.0])
    for name in ("denoise", "score", "covariance", "log_density"):
        together = getattr(SPACE, name)(z, signal, sigma)
        for i in range(3):
            one = getattr(SPACE, name)(z[i : i + 1], float(signal[i]), float(sigma[i]))
            torch.testing.assert_close(together[i : i + 1], one)


def test_the_flow_carries_quantiles():
    """Order is kept, and the share of mass to the left of every point with it."""
    start = (0.6, 0.8)
    z = torch.linspace(-3, 3, 13).double()
    x = LINE.flow(z, start)
    assert (x.diff() > 0).all()
    grid = torch.linspace(-20, 20, 100_001).double()
    for a, b in zip(z.tolist(), x.tolist(), strict=True):
        left = grid[grid <= a], grid[grid <= b]
        one = torch.trapezoid(LINE.log_density(left[0], *start).exp(), left[0])
        two = torch.trapezoid(LINE.log_density(left[1]).exp(), left[1])
        assert float(one) == pytest.approx(float(two), abs=1e-3)


def test_the_flow_comes_back_to_the_last_digits():
    z = torch.linspace(-4, 4, 33).double()
    there = LINE.flow(z, (1.0, 1.0), (0.3, 2.0))
    torch.testing.assert_close(LINE.flow(there, (0.3, 2.0), (1.0, 1.0)), z, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(LINE.flow(z, (0.6, 0.8), (0.6, 0.8)), z, rtol=1e-12, atol=1e-12)


def test_the_flow_of_a_normal_is_affine():
    one = Mixture(torch.ones(1), torch.tensor([[0.7]], dtype=torch.float64), 0.4)
    z = torch.linspace(-30, 30, 9).double().unsqueeze(1)
    spread = math.hypot(0.5 * 0.4, 0.9)
    expected = 0.7 + 0.4 * (z - 0.5 * 0.7) / spread  # far into both tails
    torch.testing.assert_close(one.flow(z, (0.5, 0.9)), expected, rtol=1e-12, atol=1e-12)


def test_the_flow_solves_its_ode():
    """dz/dsigma = (z - E[x|z])/sigma on the exploding path: a small step agrees to second order."""
    z, sigma, h = torch.linspace(-2, 2, 9).double(), 0.7, 1e-4
    ahead, behind = (LINE.flow(z, (1.0, sigma), (1.0, sigma + d)) for d in (h, -h))
    slope = (z - LINE.denoise(z, 1.0, sigma)) / sigma
    torch.testing.assert_close((ahead - behind) / (2 * h), slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("parameter", ROWS)
@pytest.mark.parametrize("schedule", [Linear(10, 0.99, 0.8), Karras(10), Flow(10)], ids=repr)
def test_the_oracle_answers_in_every_parametrisation(parameter, schedule):
    try:
        noise = Gaussian(parameter=parameter).bind(schedule)
    except InputError:
        return  # no such target at t = T
    predict, z = SPACE.oracle(noise), torch.randn(4, 3).double()
    for t in (3, 0.35, torch.tensor([1, 2, 9, 10])):
        signal, sigma = noise.clock(t)
        hat = predict(z, torch.tensor([0, 1, 2, 0]), t)
        assert hat.shape == (1, 4, 3)
        expected = SPACE.denoise(z, signal, sigma, torch.tensor([0, 1, 2, 0]))
        torch.testing.assert_close(noise.predict(z, t, hat), expected, rtol=1e-8, atol=1e-8)
    assert predict(z.float(), None, 3).dtype == torch.float32


def test_faults_are_named():
    noise = Gaussian(variance="range").bind(Flow(5))
    for fault, message in (
        (
            lambda: Mixture(torch.ones(2), torch.zeros(3), 1.0),
            "Mixture.weights: expected 3 numbers",
        ),
        (lambda: Mixture(torch.tensor([1.0, -1.0]), torch.zeros(2), 1.0), "Mixture.weights"),
        (lambda: Mixture(torch.ones(2), torch.zeros(2)), "stds or covariances; got neither"),
        (lambda: Mixture(torch.ones(1), torch.zeros(1, 1), 1.0, torch.eye(1)[None]), "got both"),
        (lambda: Mixture(torch.ones(2), torch.zeros(2, 3), torch.ones(3)), "Mixture.stds"),
        (
            lambda: Mixture(torch.ones(2), torch.zeros(2), -1.0),
            "Mixture.stds: expected numbers >= 0",
        ),
        (
            lambda: Mixture(torch.ones(1), torch.zeros(1, 2), None, -torch.eye(2)[None]),
            "semi-definite",
        ),
        (
            lambda: Mixture(torch.ones(1), torch.zeros(1, 2), None, torch.eye(2)),
            r"shape \[1, 2, 2\]",
        ),
        (lambda: SPACE.denoise(torch.zeros(4, 2), 1.0, 1.0), r"shape|\[b, 3\]"),
        (
            lambda: SPACE.denoise(torch.zeros(2, 3), 1.0, 1.0, torch.tensor([0, 3])),
            "class ids in 0..2",
        ),
        (lambda: SPACE.flow(torch.zeros(2, 3), (1.0, 1.0)), "one-dimensional"),
        (lambda: SPACE.given(3), "a class in 1..2; got 3"),
        (lambda: SPACE.oracle(noise), "variance='fixed'"),
    ):
        with pytest.raises(InputError, match=message):
            fault()
