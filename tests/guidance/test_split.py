"""Predictions whose x and epsilon are read apart, and the inverse of reading x."""

import pytest
import torch

from diffusion import noise, schedule
from diffusion.noise.split import Split, each
from diffusion.parameter import ROWS

from .bed import CLOSE, Z

HAT = torch.randn(2, 6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
OTHER = torch.randn(2, 6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
TIMES = [(60, 40), (0.6, 0.4), (1, 0), tuple(torch.full((6,), t) for t in (60, 40))]


def process(parameter: str, **options: object) -> noise.Gaussian:
    return noise.Gaussian(parameter, **options).bind(schedule.Cosine(100))


@pytest.mark.parametrize("parameter", ROWS)
@pytest.mark.parametrize(("t", "s"), TIMES, ids=["index", "float", "data", "rows"])
@pytest.mark.parametrize("variance", ["fixed", "range"])
def test_of_one_output_twice_is_the_plain_step(parameter, t, s, variance) -> None:
    for eta in (0.0, 0.5, 1.0):
        bound = process(parameter, eta=eta, variance=variance)
        plain, split = (bound.step(Z, t, s, hat) for hat in (HAT, Split(HAT, HAT)))
        torch.testing.assert_close(split.mu, plain.mu, **CLOSE)
        spread = [torch.as_tensor(law.sigma, dtype=torch.float64) for law in (split, plain)]
        torch.testing.assert_close(*spread, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_x_and_epsilon_come_from_their_own_outputs(eta: float) -> None:
    """signal_s·x + sqrt(sigma_s² - v)·epsilon, with v the posterior's variance, or none."""
    bound = process("v", eta=eta)
    (signal, sigma), (signal_s, sigma_s) = bound.clock(60), bound.clock(40)
    v = eta**2 * sigma_s**2 * (1 - (signal * sigma_s / (signal_s * sigma)) ** 2)
    x, epsilon = bound.predict(Z, 60, HAT), bound.predict_epsilon(Z, 60, OTHER)
    step = bound.step(Z, 60, 40, Split(HAT, OTHER))
    torch.testing.assert_close(step.mu, signal_s * x + (sigma_s**2 - v) ** 0.5 * epsilon, **CLOSE)
    torch.testing.assert_close(bound.predict(Z, 60, Split(HAT, OTHER)), x)
    torch.testing.assert_close(bound.predict_epsilon(Z, 60, Split(HAT, OTHER)), epsilon)


@pytest.mark.parametrize("parameter", ROWS)
@pytest.mark.parametrize("t", [60, 0.6, torch.tensor([3, 20, 50, 70, 90, 98])], ids=str)
def test_express_is_the_inverse_of_predict(parameter: str, t: object) -> None:
    bound = process(parameter)
    torch.testing.assert_close(bound.express(Z, t, bound.predict(Z, t, HAT)), HAT[0], **CLOSE)


def test_each_works_on_outputs_of_every_form() -> None:
    def double(a, b):
        return a + b

    split = each(double, Split(HAT, OTHER), OTHER)
    torch.testing.assert_close(split.x, HAT + OTHER)
    torch.testing.assert_close(split.epsilon, OTHER + OTHER)
    assert list(each(double, {"a": HAT}, {"a": OTHER})) == ["a"]
    torch.testing.assert_close(each(double, HAT, OTHER), HAT + OTHER)
