"""The modules that plans are made of, against mathematics and the conformance kit."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import errors, grid, rng
from diffusion.check import check
from diffusion.guidance import Threshold
from diffusion.hub.scheduler import (
    Betas,
    Boundary,
    Circle,
    Curve,
    Kept,
    Ladder,
    Large,
    Multistep,
    Quantile,
    Skipping,
    Squared,
    Steps,
    Straight,
    Timestep,
)
from diffusion.hub.scheduler.law import cumulative, levels, quantile
from diffusion.noise import Absorbing, Clock, Gaussian
from diffusion.sampler import DDIM, LMS, Ancestral, Consistency, UniPC
from diffusion.sampler.on import On
from diffusion.schedule import Flow, Karras

from .runs import START

M = torch.tensor([0.7, -0.4, 0.2]).double()


@pytest.mark.parametrize(
    "module",
    [
        Betas(kind="scaled_linear", snr=3.0, zero=True), Circle(1000), Steps(),
        Ladder(5), Ladder(5, law="karras"), Ladder(5, "linspace", whole=False), Curve(5),
        Straight(5), Straight(5, 3.0, law="exponential"), Skipping(5), Squared(5), Large(),
        Multistep("epsilon", "index", 4, warm=True), On(UniPC(), grid.Karras(5)),
        Kept(Threshold("static")), Quantile(), Boundary(),
    ],
    ids=repr,
)  # fmt: skip
def test_conforms(module: Any) -> None:
    assert [one for one in check(module).results if one.passed is False] == []


@pytest.mark.parametrize("law", ["even", "karras", "exponential", "beta"])
def test_laws_fall_between_their_ends(law: str) -> None:
    found = levels(law, 9, 14.6, 0.03)
    assert found[0] == pytest.approx(14.6, rel=1e-12)
    assert found[-1] == pytest.approx(0.03, rel=1e-9)
    assert found == sorted(found, reverse=True)
    assert levels(law, 1, 14.6, 0.03) == pytest.approx([14.6])


def test_the_beta_law() -> None:
    """Its distribution is that of an integral, and its quantile the inverse."""
    x, w = torch.linspace(0, 1, 200_001, dtype=torch.float64), 0.3
    # x = w·s^(1/0.6) takes the singularity at 0 away: the integrand is (1 - x)^-0.4 up to a factor
    inner = (1 - w * x ** (1 / 0.6)) ** -0.4
    whole = math.gamma(0.6) ** 2 / math.gamma(1.2)
    assert cumulative(w) == pytest.approx(
        float(torch.trapezoid(inner, x)) * w**0.6 / 0.6 / whole, rel=1e-8
    )
    assert quantile(0.5) == pytest.approx(0.5, abs=1e-15)
    for p in (1e-6, 0.1, 0.37, 0.5):
        assert cumulative(quantile(p)) == pytest.approx(p, rel=1e-12)
        assert quantile(1 - p) == pytest.approx(1 - quantile(p), abs=1e-12)


def test_numbers_in_closed_form() -> None:
    table, flow, edm = Clock(Betas()), Clock(Flow(1000)), Clock(Karras())
    index = Timestep()
    assert [index(t, table) for t in (1, 1000, 1.0, 0.5, 0.2505, 0.0001)] == pytest.approx(
        [0, 999, 999, 499, 249.5, 0]
    )
    assert Timestep("flow")(0.625, flow) == pytest.approx(625)
    signal, sigma = edm(0.3)
    assert Timestep("noise")(0.3, edm) == pytest.approx(math.log(sigma / signal) / 4)
    assert Timestep("angle")(0.3, Clock(Circle(1000))) == pytest.approx(0.3)
    assert Timestep(whole="round")(0.2504, table) == 249
    assert Timestep("flow", whole="floor")(0.8570, flow) == 857
    assert Timestep("flow", whole="floor")(0.8569, flow) == 856


@pytest.mark.parametrize("kind", ["index", "flow", "noise", "angle"])
@pytest.mark.parametrize("between", ["log", "sigma"])
def test_numbers_of_tensors_are_those_of_hosts(kind: str, between: str) -> None:
    clock, told = Clock(Betas(100)), Timestep(kind, between)
    for times in (torch.tensor([1, 40, 100]), torch.tensor([0.011, 0.404, 1.0]).double()):
        found = told(times, clock)
        assert found.dtype == torch.float64
        assert found.tolist() == pytest.approx([told(t, clock) for t in times.tolist()])


def test_sigma_is_linear_between_steps() -> None:
    clock = Clock(Betas(100))
    ratios = {t: (lambda s: s[1] / s[0])(clock(t)) for t in (40, 41)}
    middle = (ratios[40] + ratios[41]) / 2
    (u, _) = Ladder(1, law="even", high=middle, low=middle / 2).times(clock, True)
    assert Timestep(between="sigma")(u, clock) == pytest.approx(39.5)
    assert Timestep()(u, clock) != pytest.approx(39.5, abs=1e-6)


def run(sampler: Any, noise: Gaussian, times: Any, net: Any, z: Tensor = START) -> list[Tensor]:
    draws = rng.Generator().manual_seed(0)
    return list(sampler(noise, lambda z, y, t: net(z, t).unsqueeze(0), z, None, times, draws))


@pytest.mark.parametrize(
    "sampler",
    [Multistep(), Multistep("x", "log_snr", 3), Multistep("epsilon", "index", 4, warm=True)],
    ids=repr,
)
@pytest.mark.parametrize("parameter", ["x", "epsilon", "v"])
def test_every_multistep_ends_at_data_that_are_a_point(sampler: Any, parameter: str) -> None:
    noise = Gaussian(parameter).bind(Betas())

    def oracle(z: Tensor, t: Any) -> Tensor:
        return noise.express(z, t, M.expand_as(z))

    *_, last = run(sampler, noise, Ladder(8).times(noise.clock, False), oracle)
    torch.testing.assert_close(last, M.expand_as(last), rtol=0, atol=1e-9)


def test_multistep_of_falling_order_is_ours() -> None:
    noise = Gaussian("epsilon").bind(Betas())
    times = Ladder(8).times(noise.clock, False)

    def net(z: Tensor, t: Any) -> Tensor:
        return torch.tanh(z) * (0.2 + t / 1000)

    ours, other = (run(one, noise, times, net) for one in (LMS(), Multistep(short=99)))
    for a, b in zip(ours, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_large_steps_are_as_wide_as_the_forward_process() -> None:
    """From z = 0, with x = 0 predicted, the state is the noise that was drawn."""
    noise = Gaussian("x").bind(Betas())
    (signal, sigma), (signal_s, sigma_s) = noise.clock(800), noise.clock(600)
    forward = 1 - (signal / signal_s) ** 2
    posterior = forward * sigma_s**2 / sigma**2
    zero = torch.zeros(4000, 1, 1, dtype=torch.float64)
    for sampler, variance in ((Large(), forward), (Ancestral(), posterior)):
        (first,) = run(sampler, noise, [800, 600], lambda z, t: z * 0, zero)
        assert float(first.var()) == pytest.approx(variance, rel=0.1)


def test_kept_epsilon_is_what_was_said() -> None:
    noise = Gaussian("epsilon").bind(Betas())
    told = Kept(Threshold("static", limit=0.1))(lambda z, y, t: z.unsqueeze(0) * 0.5, noise)
    hat: Any = told(START, None, 500)
    assert float(noise.predict(START, 500, hat).abs().max()) <= 0.1 + 1e-12
    torch.testing.assert_close(noise.predict_epsilon(START, 500, hat), START * 0.5)


def test_quantiles_within_bounds() -> None:
    noise = Gaussian("x").bind(Betas())
    x = torch.tensor([[0.5, -1.0, 3.0, 2.0], [0.1, 0.2, 0.3, -0.4]]).double()
    told = Quantile(0.5, 1.2)(lambda z, y, t: x.unsqueeze(0), noise)
    found: Any = told(x, None, 500)
    assert found[0].tolist()[0] == pytest.approx([0.5 / 1.2, -1.0 / 1.2, 1.0, 1.0])
    assert found[0].tolist()[1] == pytest.approx(x[1].tolist())


def test_a_consistency_function_is_z_at_timestep_0() -> None:
    noise = Gaussian("x").bind(Betas())
    told = Boundary(10.0)(lambda z, y, t: z.unsqueeze(0) * 9, noise)
    for t, share in ((1, 1.0), (2, 0.25 / 100.25)):
        hat: Any = told(START, None, t)
        mixed = (1 - share) ** 0.5 * 9 * START + share * START
        torch.testing.assert_close(hat[0], mixed, rtol=1e-12, atol=1e-12)


def test_on_is_its_sampler_at_other_times() -> None:
    on = On(Consistency(), grid.Karras(7))
    assert on.grid(3) == grid.Karras(3)
    assert vars(on)["maps"] is True
    assert "DDIM changes the variance" in str(On(DDIM(), grid.Karras(7)).fits(Absorbing(5)))
    with pytest.raises(errors.InputError, match=r"On\.places: expected a Grid"):
        On(DDIM(), 7)  # type: ignore[arg-type]
