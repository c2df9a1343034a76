"""Schedules made for the data, against the closed forms of Gaussian data."""

import pytest
import torch
from torch import Tensor

from diffusion import Model, data, noise, sampler
from diffusion.base import Net, Schedule
from diffusion.errors import InputError
from diffusion.exact import Mixture
from diffusion.schedule import Cosine, Flow, Linear, Scaled, Spectral
from diffusion.schedule.scales import bars

SPECTRUM = 20 * torch.arange(1, 61).double() ** -2.0
"""Variances of a picture-like kind, from 20 to 0.0056."""


def ratios(schedule: Schedule) -> Tensor:
    bar = bars(schedule)
    return ((1 - bar) / bar).sqrt()


def error(r: Tensor) -> Tensor:
    """The error of DDIM on Gaussian data, root mean square, by its noise levels sigma/signal.

    For one variance a step takes z/signal to z/signal·(1 + (r' - r)·r/(variance + r²)).
    """
    shares = 1 + r.diff().unsqueeze(1) * r[:-1, None] / (SPECTRUM + r[:-1, None] ** 2)
    start = SPECTRUM + r[0] ** 2
    return ((shares.prod(0) - (SPECTRUM / start).sqrt()) ** 2 * start).sum().sqrt()


@pytest.mark.parametrize("deviation", [0.02, 1.0, 50.0])
def test_for_one_variance_it_is_uniform_in_the_angle(deviation: float) -> None:
    """arctan(r/deviation): the cosine schedule of data of that deviation."""
    made = Spectral(100, torch.tensor([deviation**2]), high=30 * deviation)
    u = torch.linspace(0, 1, 101, dtype=torch.float64)
    top = torch.atan(torch.tensor(30.0).double())
    assert (torch.atan(ratios(made) / deviation) - u * top).abs().max() < 2e-6


def test_it_follows_the_scale_of_the_data() -> None:
    one, wide = ratios(Spectral(50, SPECTRUM)), ratios(Spectral(50, 9 * SPECTRUM))
    assert (wide - 3 * one).abs().max() < 1e-6 * wide.max()
    assert wide[-1] == pytest.approx(10 * (9 * 20) ** 0.5)


def test_equal_variances_are_one_and_zeros_do_not_count() -> None:
    one = ratios(Spectral(50, torch.tensor([0.5])))
    many = ratios(Spectral(50, torch.tensor([0.5, 0.0, 0.5, 0.5])))
    assert (one - many).abs().max() < 1e-9


@pytest.mark.parametrize("steps", [5, 10, 20])
def test_no_grid_has_a_much_smaller_error(steps: int) -> None:
    """Within a tenth of the best noise levels that an optimiser finds, from the same start."""
    own = ratios(Spectral(steps, SPECTRUM)).flip(0)
    free = own[1:-1].log().requires_grad_()
    optimiser = torch.optim.LBFGS([free], max_iter=200, line_search_fn="strong_wolfe")

    def levels() -> Tensor:
        return torch.cat([own[:1], free.exp(), own[-1:]])

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = error(levels())
        loss.backward()
        return loss

    optimiser.step(closure)
    best = float(error(levels()).detach())
    assert best <= float(error(own)) < 1.1 * best
    for other in (Cosine(1000), Linear(1000, 0.9999, 0.98), Flow()):
        spaced = ratios(other)[:: 1000 // steps].flip(0).clamp_max(float(own[0]))
        assert float(error(own)) < 0.93 * float(error(spaced)), other


def test_a_sampler_has_the_error_that_the_formula_says() -> None:
    made = Spectral(10, SPECTRUM)
    process = noise.Gaussian("x").bind(made)

    class Exact(Net):
        def forward(self, x: Tensor, y: Tensor | None, t: Tensor) -> Tensor:
            signal, sigma = (v.unsqueeze(1) for v in process.clock(t))
            return (signal * SPECTRUM * x / (signal**2 * SPECTRUM + sigma**2)).unsqueeze(0)

    model = Model(
        data.Identity(), made, noise.Gaussian("x"), Exact(), sampler=sampler.DDIM(), shape=(60,),
        state_dtype=torch.float64,
    )  # fmt: skip
    r = ratios(made).flip(0)
    z = torch.randn(2000, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scale = (SPECTRUM + r[0] ** 2).sqrt() / (1 + r[0] ** 2).sqrt()
    *_, end = model.stream(z=z * scale)
    found = (end - z * SPECTRUM.sqrt()).square().sum(1).mean().sqrt()
    assert float(found) == pytest.approx(float(error(r)), rel=0.03)


def test_the_variances_of_items_are_those_of_their_principal_axes() -> None:
    law = Mixture(
        torch.ones(1), torch.full((1, 2, 2), 5.0).double(),
        covariances=torch.diag(torch.tensor([4.0, 0.5, 0.1, 0.0]))[None],
    )  # fmt: skip
    x, _ = law.sample(20000, torch.Generator().manual_seed(0))
    turn, _ = torch.linalg.qr(
        torch.randn(4, 4, generator=torch.Generator().manual_seed(1)).double()
    )
    made = Spectral.of((x.flatten(1) @ turn).reshape(-1, 1, 2, 2), steps=7)
    assert made.steps == 7
    assert made.variances.tolist() == pytest.approx([4.0, 0.5, 0.1], rel=0.05)


@pytest.mark.parametrize("inner", [Cosine(40), Flow(40), Linear(40, 0.999, 0.8)])
def test_scaled_data_lose_their_information_when_unit_ones_do(inner: Schedule) -> None:
    """variance·signal²/sigma² under it is signal²/sigma² under the inner schedule."""
    u = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    (signal, sigma), (a, b) = Scaled(inner, 0.3).scales(u), inner.scales(u)
    assert (0.3 * signal / sigma / (a / b) - 1).abs().max() < 1e-12
    assert (signal**2 + sigma**2 - a**2 - b**2).abs().max() < 1e-12
    twice = Scaled(Scaled(inner, 0.3), 1 / 0.3).scales(u)
    assert (twice[0] - a).abs().max() < 1e-12


def test_what_can_not_be_a_schedule_is_refused() -> None:
    with pytest.raises(InputError, match=r"Spectral\.variances: expected finite numbers >= 0"):
        Spectral(10, torch.tensor([1.0, -1.0]))
    with pytest.raises(InputError, match=r"Spectral\.variances"):
        Spectral(10, torch.zeros(3))
    with pytest.raises(InputError, match=r"Spectral\.high: expected a positive number"):
        Spectral(10, torch.ones(1), high=0.0)
    with pytest.raises(InputError, match=r"Spectral\.of\.x: expected at least 2 encoded items"):
        Spectral.of(torch.ones(1, 4))
    with pytest.raises(InputError, match=r"expected items that differ"):
        Spectral.of(torch.ones(3, 4))
    with pytest.raises(InputError, match=r"Scaled\.scale: expected a positive number"):
        Scaled(Cosine(10), -1.0)
    with pytest.raises(InputError, match=r"Scaled\.inner: expected a Schedule; got int"):
        Scaled(10, 0.5)  # type: ignore[arg-type]
