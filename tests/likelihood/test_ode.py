"""The density of the probability-flow ODE against mixtures, whose density is known."""

import math
from typing import Any

import pytest
import torch

from diffusion import data, noise, schedule
from diffusion.errors import InputError, MismatchError
from diffusion.exact import Mixture

from .bed import LINE, PLANE, in_bin, model

PATHS = [
    (LINE, noise.Gaussian("velocity"), schedule.Flow(1000)),
    (PLANE, noise.Gaussian("x"), schedule.Flow(1000, 3.0)),
    (LINE, noise.Gaussian("v"), schedule.Cosine(1000)),
    (PLANE, noise.Gaussian("epsilon", path="flow"), schedule.Cosine(1000)),
    (LINE, noise.Gaussian("score", path="vp"), schedule.Cosine(1000)),
    (PLANE, noise.Gaussian("F"), schedule.Cosine(1000)),
]


@pytest.mark.parametrize(
    ("law", "own", "times"), PATHS, ids=lambda v: "" if isinstance(v, Mixture) else repr(v)
)
def test_the_density_is_the_mixtures(law: Mixture, own, times) -> None:
    """Noise of 3e-4 on components as narrow as 0.15 changes log p by 2e-5; the rest is RK4's."""
    one = model(law, own, times)
    found = one.nll(method="ode", unit="nats")
    torch.testing.assert_close(found, -law.log_density(one.data.w), rtol=0, atol=1e-4)


def test_the_error_falls_with_the_fourth_power_of_the_steps() -> None:
    one = model(LINE, noise.Gaussian("v"), schedule.Flow(1000))
    coarse, fine, exact = (one.nll(method="ode", unit="nats", steps=n) for n in (16, 32, 100))
    errors = [float((v - exact).square().mean().sqrt()) for v in (coarse, fine)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4, abs=1)


def test_the_start_of_a_noise_that_explodes_is_part_of_the_model() -> None:
    """A law of mean zero: N(0, 1 + 80²) is then within 1/6400 of where the data end up."""
    law = Mixture(torch.ones(2), torch.tensor([[-0.6], [0.6]]).double(), 0.3)
    one = model(law, noise.Gaussian("F"), schedule.Karras(1000))
    found = one.nll(method="ode", unit="nats")
    # The schedule's least noise is 0.002: log p of components of 0.3 moves by 2e-5·(gap² - 1).
    torch.testing.assert_close(found, -law.log_density(one.data.w), rtol=0, atol=1e-3)


def test_integer_times_give_the_density_of_one_step_of_noise() -> None:
    errors = []
    for count in (60, 120):
        times = schedule.Cosine(count)
        one = model(PLANE, noise.Gaussian("epsilon"), times, discrete=True)
        signal, sigma = one.bind().clock(1)
        exact = -PLANE.log_density(one.data.w, 1.0, sigma / signal)
        gaps = one.nll(method="ode", unit="nats") - exact
        errors.append(float(gaps.square().mean().sqrt()))
    # The trapezoidal rule is of order 2; in steps of about 1/100 of g, curved as e^-g, that is
    # 1/12·1e-4 for each unit of the third derivative, which is of the order of 10 here.
    assert errors[1] < 5e-4
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.5)
    few = one.nll(method="ode", unit="nats", steps=30)
    assert 0 < float((few - exact).abs().max()) < 0.05


def test_bits_per_dimension() -> None:
    one = model(PLANE, noise.Gaussian("velocity"), schedule.Flow(1000))
    nats, bits = (one.nll(method="ode", unit=unit, steps=10) for unit in ("nats", "bits/dim"))
    torch.testing.assert_close(bits * 2 * math.log(2), nats)


def test_without_chance_there_is_no_error() -> None:
    one = model(PLANE, noise.Gaussian("velocity"), schedule.Flow(1000))
    found, error = one.nll(method="ode", steps=10, draws=5, error=True)
    assert torch.equal(found, one.nll(method="ode", steps=10, seed=1))
    assert torch.equal(error, torch.zeros(16, dtype=torch.float64))


def wide() -> Mixture:
    """Twenty dimensions, above what is summed exactly, with correlations that probes see."""
    gen = torch.Generator().manual_seed(0)
    root = torch.randn(2, 20, 20, generator=gen, dtype=torch.float64) / 20**0.5
    means = 0.5 * torch.randn(2, 20, generator=gen, dtype=torch.float64)
    eye = torch.eye(20, dtype=torch.float64)
    return Mixture(torch.ones(2), means, covariances=0.3 * root @ root.mT + 0.1 * eye)


def test_probes_are_unbiased_and_their_error_is_known() -> None:
    law = wide()
    one = model(law, noise.Gaussian("velocity"), schedule.Flow(1000))
    found, error = one.nll(method="ode", unit="nats", steps=24, draws=64, error=True)
    exact = -law.log_density(one.data.w)
    # 16 items at 4.5 standard errors: chance exceeds it once in ten thousand; RK4 adds 1e-3.
    assert (error > 0.01).all()
    assert ((found - exact).abs() < 4.5 * error + 1e-3).all()
    assert float((found - exact).mean().abs()) < 4.5 * float(error.mean()) / 4 + 1e-3


def test_a_probe_depends_on_its_seed_item_and_number_alone() -> None:
    one = model(wide(), noise.Gaussian("velocity"), schedule.Flow(1000))
    found = one.nll(method="ode", steps=3, draws=2)  # in the batches of the data, of 5
    torch.testing.assert_close(one.nll(one.data.w, method="ode", steps=3, draws=2), found)
    first = one.nll(method="ode", steps=3)
    torch.testing.assert_close(one.nll(one.data.w[:3], method="ode", steps=3), first[:3])
    assert not torch.equal(first, one.nll(method="ode", steps=3, seed=1))


def test_networks_in_float32() -> None:
    one = model(LINE, noise.Gaussian("x"), schedule.Flow(1000))
    exact = one.nll(method="ode", unit="nats")
    one.net.float()
    found = one.nll(method="ode", unit="nats")
    assert found.dtype == torch.float32
    # epsilon = (z - signal·x)/sigma has lost 4 of 7 digits where sigma is 3e-4.
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=2e-4)


def pixels() -> tuple[Mixture, data.Images]:
    """One pixel of 17 values, and a law that lies well inside them."""
    law = Mixture(torch.ones(2), torch.tensor([-0.3, 0.4]).double().reshape(2, 1, 1, 1), 0.15)
    return law, data.Images(torch.arange(17, dtype=torch.uint8).reshape(17, 1, 1, 1), levels=17)


def test_quantised_data_are_spread_over_their_bins() -> None:
    law, images = pixels()
    one = model(law, noise.Gaussian("velocity"), schedule.Flow(1000), data=images)
    found, error = one.nll(method="ode", unit="nats", steps=25, draws=100, error=True)
    x = one.encode(images.w).double()
    mass, spread = in_bin(law, x, images.bins)
    # 17 items at 4.5 standard errors, and the ODE's own error far out in the tails.
    assert ((found - spread).abs() < 4.5 * error + 1e-3).all()
    assert (found > mass - 4.5 * error - 1e-3).all()
    p = (-mass).exp()
    assert float(p.sum()) == pytest.approx(1, abs=1e-5)  # the last bin ends at 4.4 deviations
    entropy, estimate = float((p * mass).sum()), float((p * found).sum())
    # Bins of 1/8 against components of 0.15: the spread costs about h²/24·(log p)'² = 0.03 nats.
    assert entropy < estimate < entropy + 0.05


class Doubled(torch.nn.Module):
    """An autoencoder."""

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    def decode(self, x: torch.Tensor) -> torch.Tensor:
        return x / 2


def test_what_has_no_density_is_an_error() -> None:
    one = model(LINE, noise.Gaussian("velocity"), schedule.Flow(1000))
    with pytest.raises(InputError, match=r"nll\.steps.*whole number.*got \[1\.0, 0\.0\]"):
        one.nll(method="ode", steps=[1.0, 0.0])
    with pytest.raises(InputError, match=r"nll\.steps.*got 0"):
        one.nll(method="ode", steps=0)
    with pytest.raises(MismatchError, match=r"Identity: items are torch\.int64.*method='bound'"):
        one.nll(torch.zeros(2, 1, dtype=torch.long), method="ode")
    latent = data.Latent(one.data.w, autoencoder=Doubled(), scale=1.0)
    with pytest.raises(
        MismatchError, match=r"data\.Latent: the ODE gives the density of the latents"
    ):
        model(LINE, noise.Gaussian("velocity"), schedule.Flow(1000), data=latent).nll(method="ode")
    exact: Any = one.net
    exact.predict = lambda z, y, t: z.detach()[None]
    with pytest.raises(InputError, match="no gradient with respect to its input"):
        one.nll(method="ode")
    exact.predict = lambda z, y, t: z[None] * torch.nan
    with pytest.raises(InputError, match="not finite at time"):
        one.nll(method="ode")
