"""Averages of any width, put together after training, against the averages themselves."""

import math

import pytest
import torch
from torch import nn

import diffusion
from diffusion import data, loss, net, noise, schedule, train
from diffusion.errors import InputError
from diffusion.train.power import WIDEST, combination, exponent, products
from diffusion.train.profile import Profiled


def walk(steps: int, size: int = 40, seed: int = 0) -> torch.Tensor:
    """A path like that of weights: a fall towards a place, and a random walk around it."""
    source = torch.Generator().manual_seed(seed)
    noise = torch.randn(steps, size, generator=source, dtype=torch.float64)
    start = torch.randn(size, generator=source, dtype=torch.float64)
    fall = torch.exp(-torch.arange(steps) / (steps / 8)).double()[:, None]
    return 3.0 + 5 * fall * start + noise.cumsum(0) / steps**0.5


def along(path: torch.Tensor, profile: train.Profile) -> Profiled:
    """The averages after a training that took the path."""
    parts = nn.Linear(path.shape[1], 1, bias=False, dtype=torch.float64)
    average = profile(parts)
    for step, weights in enumerate(path):
        parts.weight.data = weights[None].clone()
        average.update(parts, step)
    return average


def directly(path: torch.Tensor, width: float, every: int = 1) -> torch.Tensor:
    """The average by its definition: the integral of the profile over each step is its weight."""
    taken = path[every - 1 :: every]
    g = exponent(width)
    edges = torch.arange(len(taken) + 1).double() / len(taken)
    return (edges ** (g + 1)).diff() @ taken


@pytest.mark.parametrize("width", [0.01, 0.05, 0.1, 0.25, WIDEST])
def test_a_width_is_the_deviation_of_its_profile(width: float) -> None:
    g = exponent(width)
    u = (torch.arange(200_000).double() + 0.5) / 200_000
    p = (g + 1) * u**g / 200_000
    assert float(p.sum()) == pytest.approx(1, rel=1e-4)
    mean = (p * u).sum()
    assert float((p * (u - mean) ** 2).sum().sqrt()) == pytest.approx(width, rel=1e-3)


def test_products_are_integrals() -> None:
    times, exponents = torch.tensor([1.0, 0.6, 0.3]).double(), torch.tensor([6.9, 16.9, 0.0])
    u = (torch.arange(100_000).double() + 0.5) / 100_000
    curves = torch.stack([
        torch.where(u < t, (g + 1) * u**g / t ** (g + 1), 0.0)
        for t, g in zip(times, exponents.double(), strict=True)
    ])  # fmt: skip
    own = times, exponents.double()
    torch.testing.assert_close(products(own, own), curves @ curves.T / 100_000, rtol=1e-3, atol=0)


def test_the_averages_are_those_of_the_profile() -> None:
    path = walk(500)
    for every in (1, 10):
        average = along(path, train.Profile((0.05, 0.1), every))
        for module, width in zip((average.module, *average.others), (0.05, 0.1), strict=True):
            torch.testing.assert_close(module.weight[0], directly(path, width, every))


@pytest.mark.parametrize(
    ("widths", "width", "error"),
    [
        ((0.05, 0.1), 0.03, 0.02), ((0.05, 0.1), 0.05, 1e-9), ((0.05, 0.1), 0.07, 0.002),
        ((0.05, 0.1), 0.15, 0.002), ((0.05, 0.1), 0.2, 0.02), ((0.05, 0.1, 0.2), 0.25, 0.02),
    ],
)  # fmt: skip
def test_any_width_is_reconstructed(widths, width: float, error: float) -> None:
    """Relative to what separates the average from the last weights.

    Sixteen snapshots are at most an eighth of the run apart. A profile of width 0.03 lies between
    two of them, and one of 0.2 reaches to before the first: these are found to 2 %.
    """
    path = walk(3000)
    exact = directly(path, width)
    made = along(path, train.Profile(widths, every=1)).reconstruct(width)
    assert float((made.weight[0] - exact).norm() / (exact - path[-1]).norm()) < error


def test_snapshots_are_thinned_and_even() -> None:
    average = along(walk(1000), train.Profile((0.1,), 1, keep=8))
    kept = average.taken[average.taken > 0]
    assert 4 <= len(kept) <= 8
    assert len(set(kept.diff().tolist())) == 1
    assert int(kept[-1]) > 1000 - int(average.stride)
    for t, stored in zip(kept.tolist(), average.stored, strict=False):
        torch.testing.assert_close(stored[0], directly(walk(1000)[:t], 0.1))


def test_weights_that_stand_still_are_given_back_exactly() -> None:
    path = torch.full((300, 5), 7.0, dtype=torch.float64)
    made = along(path, train.Profile(every=1)).reconstruct(0.02)
    torch.testing.assert_close(made.weight[0], path[0], rtol=1e-12, atol=0)
    factors = combination(torch.tensor([50, 100]), torch.tensor([3.0, 9.0]), 100, 5.0)
    assert float(factors.sum()) == pytest.approx(1, rel=1e-12)


def model(ema: object = None) -> diffusion.Model:
    torch.manual_seed(0)
    return diffusion.Model(
        data.Identity(torch.randn(40, 2), batch=8, shuffle=True), schedule.Flow(20),
        noise.Gaussian("velocity"), net.MLP(2, hidden=8), loss.Simple(), seed=3,
        ema=train.Profile(every=2, keep=4) if ema is None else ema,
    )  # fmt: skip


def test_a_model_samples_with_the_first_width_and_with_any(tmp_path) -> None:
    made = model()
    [*made.train(8)]
    first = made.ema.reconstruct(made, 0.05)
    torch.testing.assert_close(
        first.sample(batch=3, steps=4, seed=0), made.sample(batch=3, steps=4, seed=0)
    )
    wide = made.ema.reconstruct(made, 0.2)
    assert wide.ema is None
    assert not torch.equal(wide.net.exit.weight, first.net.exit.weight)
    assert all(p.requires_grad for p in wide.net.parameters())
    made.save(tmp_path / "m")
    back = diffusion.Model.load(tmp_path / "m")
    assert back.ema == made.ema
    again = back.ema.reconstruct(back, 0.2)
    torch.testing.assert_close(again.net.exit.weight, wide.net.exit.weight)


def test_a_run_with_profiles_resumes_exactly(tmp_path) -> None:
    whole, cut, resumed = model(), model(), model()
    [*whole.train(9)]
    [*cut.train(5, folder=tmp_path)]
    [*resumed.train(9, folder=tmp_path)]
    ours, theirs = whole.average.state_dict(), resumed.average.state_dict()
    assert int(whole.average.stride) > 1  # snapshots were thinned on the way
    for key, value in ours.items():
        assert torch.equal(value, theirs[key]), key


def test_a_number_is_still_a_decay_and_mistakes_are_told() -> None:
    assert model(0.999).average.decay == 0.999
    with pytest.raises(InputError, match=r"Model.ema: expected a decay in \(0, 1\), or train.Prof"):
        model(1.5)
    with pytest.raises(InputError, match=r"Profile.widths: expected numbers in"):
        train.Profile((0.4,))
    with pytest.raises(InputError, match=r"at least one average; train first; got 0"):
        model().ema.reconstruct(model(), 0.1)
    with pytest.raises(InputError, match="expected a model made with this"):
        train.Profile().reconstruct(model(0.9), 0.1)
    assert math.isclose(WIDEST, 0.2886751, rel_tol=1e-6)
