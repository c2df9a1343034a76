"""The data set's ideal denoiser is a mixture of point masses, streamed."""

import pytest
import torch

from diffusion.errors import InputError
from diffusion.exact import Empirical, Mixture
from diffusion.noise import Gaussian
from diffusion.schedule import Flow


@pytest.fixture
def items():
    torch.manual_seed(0)
    return torch.randn(50, 2, 3).double(), torch.arange(50) % 3 + 1


@pytest.mark.parametrize("chunk", [1, 7, 50, 1000])
@pytest.mark.parametrize("sigma", [0.05, 0.8, 30.0])
def test_it_is_a_mixture_of_points_however_it_is_streamed(items, chunk, sigma):
    x, _ = items
    ideal, points = Empirical(x, chunk=chunk), Mixture(torch.ones(50), x, 0.0)
    z = 0.6 * x[:4] + sigma * torch.randn(4, 2, 3)
    torch.testing.assert_close(ideal.denoise(z, 0.6, sigma), points.denoise(z, 0.6, sigma))
    density = ideal.log_density(z, 0.6, sigma)
    torch.testing.assert_close(density, points.log_density(z, 0.6, sigma))


@pytest.mark.parametrize("chunk", [1, 7, 50])
def test_labels_choose_among_the_items(items, chunk):
    x, labels = items
    ideal, z = Empirical(x, labels, chunk), torch.randn(4, 2, 3).double()
    y = torch.tensor([0, 1, 2, 3])
    answer, density = ideal.denoise(z, 0.6, 0.8, y), ideal.log_density(z, 0.6, 0.8, y)
    for i, label in enumerate(y):
        own = Empirical(x if label == 0 else x[labels == label])
        torch.testing.assert_close(answer[i : i + 1], own.denoise(z[i : i + 1], 0.6, 0.8))
        torch.testing.assert_close(density[i : i + 1], own.log_density(z[i : i + 1], 0.6, 0.8))


def test_without_noise_it_finds_the_item(items):
    x, _ = items
    ideal = Empirical(x, chunk=8)
    torch.testing.assert_close(ideal.denoise(x[:5], 1.0, 0.0), x[:5], rtol=0, atol=0)
    near = ideal.denoise(x[:5].float() + 1e-3, 1.0, 1e-8)
    torch.testing.assert_close(near, x[:5].float())


def test_noise_levels_may_differ_by_sample(items):
    x, _ = items
    ideal, z = Empirical(x), torch.randn(3, 2, 3).double()
    signal, sigma = torch.tensor([1.0, 0.6, 0.0]), torch.tensor([0.2, 0.8, 1.0])
    together = ideal.denoise(z, signal, sigma)
    for i in range(3):
        one = ideal.denoise(z[i : i + 1], float(signal[i]), float(sigma[i]))
        torch.testing.assert_close(together[i : i + 1], one)
    torch.testing.assert_close(together[2], x.mean(0))


def test_its_oracle_draws_the_items_themselves(items):
    x, _ = items
    noise = Gaussian(parameter="v", eta=0.0).bind(Flow(100))
    predict, z = Empirical(x).oracle(noise), torch.randn(6, 2, 3).double()
    for t in range(100, 0, -1):
        z = noise.step(z, t, t - 1, predict(z, None, t)).mu
    gap = torch.cdist(z.flatten(1), x.flatten(1)).amin(1)
    assert gap.max() < 1e-3


def test_one_dimension_needs_no_axis():
    ideal = Empirical(torch.tensor([-1.0, 1.0]))
    z = torch.tensor([0.3, -0.2]).double()
    torch.testing.assert_close(ideal.denoise(z, 1.0, 0.5), (z / 0.25).tanh())


def test_faults_are_named(items):
    x, labels = items
    for fault, message in (
        (lambda: Empirical(x[:0]), "Empirical.x: expected at least one item"),
        (lambda: Empirical(x, labels[:3]), "Empirical.y"),
        (lambda: Empirical(x, chunk=0), "Empirical.chunk"),
        (lambda: Empirical(x).denoise(x[:, 0], 1.0, 1.0), "Empirical: z"),
        (lambda: Empirical(x).denoise(x[:1], 1.0, 1.0, torch.ones(1)), "the data have no labels"),
        (
            lambda: Empirical(x, labels).denoise(x[:1], 1.0, 1.0, torch.tensor([9])),
            "occur in the data",
        ),
    ):
        with pytest.raises(InputError, match=message):
            fault()
