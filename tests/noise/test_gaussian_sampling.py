"""Samplers with a perfect network end where mathematics says, at the order it says."""

import math
from itertools import pairwise

import pytest
import torch

from diffusion.exact import Mixture
from diffusion.noise import Gaussian
from diffusion.schedule import Cosine, Flow, Geometric, Karras, Linear, Sigmoid

LINE = Mixture(
    torch.tensor([0.5, 0.3, 0.2]), torch.tensor([-1.2, 0.4, 1.5]), torch.tensor([0.3, 0.2, 0.4])
)
PLANE = Mixture(
    torch.tensor([0.4, 0.6]),
    torch.tensor([[-1.0, 0.5], [0.8, -0.4]]).double(),
    covariances=torch.tensor([[[0.2, 0.1], [0.1, 0.3]], [[0.1, 0.0], [0.0, 0.4]]]),
)


def walk(noise, predict, z, times, y=None):
    for t, s in pairwise(times):
        z = noise.step(z, t, s, predict(z, y, t)).sample()[0]
    return z


def grid(schedule, steps):
    """`steps` equal parts of the schedule's own steps."""
    return torch.linspace(schedule.steps, 0, steps + 1).round().int().tolist()


@pytest.mark.parametrize("parameter", ["x", "v", "velocity"])
@pytest.mark.parametrize(
    "schedule",
    [Flow(2**12), Flow(2**12, 3.0), Cosine(2**12), Karras(2**12), Sigmoid(2**12)],
    ids=repr,
)
def test_ddim_follows_the_quantile_map_at_order_one(schedule, parameter):
    noise = Gaussian(parameter=parameter, eta=0.0).bind(schedule)
    z = torch.linspace(-2, 2, 41).double() * noise.clock(schedule.steps)[1]
    exact = LINE.flow(z, noise.clock(schedule.steps))
    sizes = (48, 96, 192)
    errors = [
        float((walk(noise, LINE.oracle(noise), z, grid(schedule, n)) - exact).abs().mean())
        for n in sizes
    ]
    slopes = [math.log2(a / b) for a, b in pairwise(errors)]
    assert errors[-1] < 0.05
    assert slopes[-1] == pytest.approx(1.0, abs=0.3)


def test_continuous_times_reach_the_same_end():
    noise = Gaussian(parameter="velocity", eta=0.0).bind(Flow(1000))
    z = torch.linspace(-2, 2, 21).double()
    times = [1 - i / 500 for i in range(500)] + [0.0]
    end = walk(noise, LINE.oracle(noise), z, times)
    assert float((end - LINE.flow(z, (0.0, 1.0))).abs().max()) < 0.02


@pytest.mark.parametrize("path", ["schedule", "vp", "flow"])
def test_paths_are_only_units(path):
    """The same noise at T, in each path's units, ends in the same picture."""
    plain = Gaussian(parameter="x", eta=0.0).bind(Geometric(64))
    noise = Gaussian(parameter="x", path=path, eta=0.0).bind(Geometric(64))
    z = torch.linspace(-90, 90, 21).double()
    times = list(range(64, -1, -1))
    end = walk(plain, LINE.oracle(plain), z, times)
    scaled = walk(noise, LINE.oracle(noise), z * noise.clock(64)[1] / plain.clock(64)[1], times)
    torch.testing.assert_close(scaled, end, rtol=1e-8, atol=1e-8)


def gaussian_end(noise, data: Mixture, times):
    """The exact mean and variance of ancestral samples of Gaussian data: every step is affine."""
    predict, mean, variance = data.oracle(noise), 0.0, noise.stationary(()).sigma ** 2
    for t, s in pairwise(times):
        at = torch.tensor([0.0, 1.0]).double()
        law = noise.step(at, t, s, predict(at, None, t))
        offset, slope = float(law.mu[0]), float(law.mu[1] - law.mu[0])
        mean, variance = offset + slope * mean, slope**2 * variance + float(law.sigma) ** 2
    return mean, variance


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("schedule", [Flow(4096), Linear(4096, 0.99998, 0.995)], ids=repr)
def test_ancestral_moments_converge_without_monte_carlo(schedule, eta):
    data = Mixture(torch.ones(1), torch.tensor([0.7]), 0.4)
    noise = Gaussian(parameter="v", eta=eta).bind(schedule)
    errors = []
    for steps in (32, 64, 128, 256):
        mean, variance = gaussian_end(noise, data, grid(schedule, steps))
        errors.append(abs(math.sqrt(variance) - 0.4))
        assert mean == pytest.approx(0.7, abs=0.01)
    assert errors[-1] < 0.02
    assert math.log2(errors[-2] / errors[-1]) == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("schedule", [Cosine(200), Flow(200), Karras(200)], ids=repr)
def test_ancestral_samples_of_a_mixture_have_its_moments(schedule):
    noise = Gaussian(parameter="x").bind(schedule)
    z = noise.stationary((6000, 2)).to(torch.float64).sample()[0]
    x = walk(noise, PLANE.oracle(noise), z, grid(schedule, 200))
    mean, covariance = PLANE.moments()
    assert (x.mean(0) - mean).abs().max() < 0.05
    assert (x.T.cov() - covariance).abs().max() < 0.06
    share = PLANE.responsibilities(x).mean(0)
    torch.testing.assert_close(share, torch.tensor([0.4, 0.6]).double(), rtol=0, atol=0.03)


def test_labels_choose_the_component():
    noise = Gaussian(parameter="v").bind(Flow(100))
    y = torch.tensor([1, 2]).repeat_interleave(3000)
    x = walk(noise, PLANE.oracle(noise), torch.randn(6000, 2).double(), grid(Flow(100), 100), y)
    for label, part in ((1, x[:3000]), (2, x[3000:])):
        mean, covariance = PLANE.given(label).moments()
        assert (part.mean(0) - mean).abs().max() < 0.05
        assert (part.T.cov() - covariance).abs().max() < 0.06
