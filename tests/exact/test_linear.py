"""The linear-Gaussian posterior against Bayes' rule by other means."""

import pytest
import torch

from diffusion.errors import InputError
from diffusion.exact import LinearGaussian, Mixture

A = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]]).double()
GAUSSIAN = Mixture(
    torch.ones(1),
    torch.tensor([[0.3, -0.2, 0.1]]).double(),
    covariances=torch.tensor([[[1.0, 0.3, 0.0], [0.3, 0.5, 0.1], [0.0, 0.1, 0.8]]]),
)
PAIR = Mixture(
    torch.tensor([0.3, 0.7]), torch.tensor([[-1.0], [0.8]]).double(), torch.tensor([0.4, 0.2])
)


def test_a_gaussian_prior_has_the_textbook_posterior():
    """Precision form: (C⁻¹ + AᵀA/r²)⁻¹, and its mean."""
    bed, b = LinearGaussian(A, 0.3, GAUSSIAN), torch.tensor([0.7, -0.4]).double()
    mean, covariance = bed.posterior(b).moments()
    c, m = GAUSSIAN.matrices[0], GAUSSIAN.means[0]
    precision = c.inverse() + A.T @ A / 0.09
    torch.testing.assert_close(covariance, precision.inverse())
    expected = precision.inverse() @ (c.inverse() @ m + A.T @ b / 0.09)
    torch.testing.assert_close(mean, expected)


def test_a_mixture_prior_has_the_posterior_of_quadrature():
    bed, b = LinearGaussian(torch.tensor([[2.0]]).double(), 0.5, PAIR), torch.tensor([0.3]).double()
    x = torch.linspace(-6, 6, 100_001).double().unsqueeze(1)
    joint = (PAIR.log_density(x) - 0.5 * ((b - 2 * x[:, 0]) / 0.5) ** 2).exp()
    joint = joint / torch.trapezoid(joint, x[:, 0])
    found = bed.posterior(b).log_density(x).exp()
    torch.testing.assert_close(found, joint, rtol=1e-6, atol=1e-9)


def test_an_exact_observation_pins_what_it_sees():
    bed = LinearGaussian(A, 1e-6, GAUSSIAN)
    b = torch.tensor([0.7, -0.4]).double()
    mean, covariance = bed.posterior(b).moments()
    torch.testing.assert_close(A @ mean, b, rtol=1e-6, atol=1e-6)
    assert (A @ covariance @ A.T).abs().max() < 1e-9


def test_observations_have_the_law_they_claim():
    r = torch.tensor([[0.2, 0.1], [0.1, 0.3]]).double()
    bed = LinearGaussian(A, r, GAUSSIAN)
    x, _ = GAUSSIAN.sample(40_000, torch.Generator().manual_seed(0))
    b = bed.observe(x, torch.Generator().manual_seed(1))
    assert ((b - x @ A.T).T.cov() - r).abs().max() < 0.02
    spread = A @ GAUSSIAN.matrices[0] @ A.T + r
    assert (b.T.cov() - spread).abs().max() < 0.06


def test_the_posterior_is_calibrated():
    """E over b of the posterior mean is the prior mean; total variance splits in two."""
    bed = LinearGaussian(A, 0.5, GAUSSIAN)
    b = bed.observe(GAUSSIAN.sample(400, torch.Generator().manual_seed(0))[0])
    means = torch.stack([bed.posterior(one).moments()[0] for one in b])
    within = bed.posterior(b[0]).moments()[1]
    assert (means.mean(0) - GAUSSIAN.means[0]).abs().max() < 0.15
    assert (means.T.cov() + within - GAUSSIAN.matrices[0]).abs().max() < 0.2


def test_states_of_any_shape():
    picture = Mixture(torch.ones(2), torch.randn(2, 1, 3).double(), 0.5)
    posterior = LinearGaussian(A, 0.3, picture).posterior(torch.zeros(2).double())
    assert posterior.shape == (1, 3)
    assert posterior.denoise(torch.randn(4, 1, 3), 0.5, 0.5).shape == (4, 1, 3)


def test_faults_are_named():
    for fault, message in (
        (
            lambda: LinearGaussian(A[:, :2], 0.1, GAUSSIAN),
            r"LinearGaussian.A: expected a matrix \[m, 3\]",
        ),
        (lambda: LinearGaussian(A, torch.ones(2), GAUSSIAN), "LinearGaussian.noise"),
        (lambda: LinearGaussian(A, 0.1, GAUSSIAN).posterior(torch.zeros(3)), r"expected \[2\]"),
    ):
        with pytest.raises(InputError, match=message):
            fault()
