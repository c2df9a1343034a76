"""The reverse SDE: its law, and Brownian paths that do not depend on the steps."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from diffusion import noise, rng, schedule
from diffusion.base import Sampler
from diffusion.exact import Mixture
from diffusion.sampler import (
    DDIM,
    SDE,
    Adams,
    Ancestral,
    DPMSolverPP,
    DPMSolverPP2MSDE,
    DPMSolverPP3MSDE,
    Heun,
)
from diffusion.sampler.brownian import Brownian

from .line import BED, Y, Z, error, flow


def ends(one: Adams, count: int, size: int = 1000) -> Tensor:
    process = noise.Gaussian("velocity").bind(schedule.Flow(1000))
    z = torch.randn(size, 1, generator=torch.Generator().manual_seed(1)).double()
    times = [(1 - i / count) ** 1.5 for i in range(count)] + [0.0]
    y = torch.zeros(size, dtype=torch.long)
    *_, last = one(process, BED.oracle(process), z, y, times, rng.samples(0, size))
    return last


@pytest.mark.parametrize("one", [SDE(), SDE(eta=0.5), SDE(brownian=True), DPMSolverPP(eta=1.0),
                                 SDE(corrector=3)], ids=repr)  # fmt: skip
def test_it_has_the_law_of_the_data(one: Adams) -> None:
    """Mean and spread within 4 standard errors of 1,000 draws, and a bias of 2e-2 for 60 steps."""
    last, (mean, covariance) = ends(one, 60), BED.moments()
    spread = float(covariance.sqrt())
    assert float(last.mean()) == pytest.approx(float(mean), abs=4 * spread / 1000**0.5 + 0.02)
    assert float(last.std()) == pytest.approx(spread, abs=4 * spread / 2000**0.5 + 0.02)


class Impulses(rng.Each):
    """Draws 0 for all rows, and 1 for one: the k-th draw is of row k + 2."""

    made = 0

    def normal(self, like: Tensor) -> Tensor:
        drawn = torch.zeros_like(like)
        drawn[self.made + 2] = 1.0
        self.made += 1
        return drawn


def moments(one: Sampler, count: int) -> tuple[float, float]:
    """Errors of the mean and the variance at the end, on N(0.7, 0.5²), without Monte Carlo.

    There the network is linear, and so is a sampling, in its start and in its draws: their
    coefficients are the ends of a start of 1, and of draws of 1.
    """
    process = noise.Gaussian("velocity").bind(schedule.Flow(1000))
    (m, s), (start, end) = (0.7, 0.5), (0.9, 0.1)
    bed = Mixture(
        torch.ones(1),
        torch.tensor([[m]], dtype=torch.float64),
        torch.tensor([s], dtype=torch.float64),
    )
    z = torch.zeros(count + 2, 1, dtype=torch.float64)
    z[1] = 1.0
    times = [start + (end - start) * i / count for i in range(count + 1)]
    *_, last = one(process, bed.oracle(process), z, torch.zeros(len(z)), times, Impulses())
    shift, on_start, *on_draws = (last - torch.cat([0 * last[:1], last[:1].expand(len(z) - 1, 1)])
                                  ).flatten().tolist()  # fmt: skip
    mean = shift + on_start * (1 - start) * m
    variance = on_start**2 * ((1 - start) ** 2 * s**2 + start**2) + sum(v**2 for v in on_draws)
    return mean - (1 - end) * m, variance - ((1 - end) ** 2 * s**2 + end**2)


@pytest.mark.parametrize(
    ("one", "theory"),
    [
        (SDE(order=1), 1), (Ancestral(), 1), (DDIM(0.5), 1), (SDE(), 2), (SDE(eta=0.5), 2),
        (SDE(corrector=3), 2), (SDE(order=3), 2), (DPMSolverPP2MSDE(), 2),
        (DPMSolverPP3MSDE(), 2), (SDE(eta=0.0), 2), (Heun(churn=10.0), 2),
    ],
    ids=repr,
)  # fmt: skip
def test_weak_order_by_exact_moments(one: Sampler, theory: int) -> None:
    """The mean is exact: along it x stays what it is. The variance has an order.

    What a step draws moves x within it by the share of h/2 in the mean, which no target has seen.
    With one target that is lost, h² a step: order 1. The slope of two or more makes up for it one
    step later (3/2 + 1 = 1/2 + 1 + 1 for two, 23/12 + 7/12 + 1 = 1/2 + 1 + 1 + ... for three), so
    the order is 2 at any depth. Churn adds its noise exactly, and then the order is Heun's.
    """
    (coarse_mean, coarse), (_, fine) = moments(one, 192), moments(one, 384)
    assert abs(coarse_mean) < 1e-12
    assert math.log2(abs(coarse / fine)) == pytest.approx(theory, abs=0.3)


def test_without_noise_it_is_the_ode() -> None:
    assert error(SDE(eta=0.0), 64) < 1e-3 < error(SDE(), 64)


def test_order_one_is_the_ancestral_sampler() -> None:
    """eta = 1 is the posterior's variance: the same draws give the same states."""
    one = SDE(order=1)
    mine, theirs = (flow(s, 12, rng=rng.samples(0, 128)) for s in (one, Ancestral()))
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


def test_a_brownian_path_keeps_the_noise_when_steps_change() -> None:
    """With more steps the samples converge to the same ends; with fresh draws they never do."""

    def gap(one: Adams, count: int) -> float:
        return float((ends(one, count, 200) - ends(one, 2 * count, 200)).abs().mean())

    coarse, fine = gap(SDE(brownian=True), 20), gap(SDE(brownian=True), 80)
    assert fine < 0.5 * coarse
    assert fine < 0.03
    assert gap(SDE(), 80) > 0.3


def test_paths_belong_to_samples() -> None:
    one = SDE(brownian=True)
    process = noise.Gaussian("velocity").bind(schedule.Flow(1000))
    times, predict = [0.98, 0.6, 0.3, 0.0], BED.oracle(process)
    *_, whole = one(process, predict, Z[:8], Y[:8], times, rng.samples(7, 8))
    *_, alone = one(process, predict, Z[3:4], Y[:1], times, rng.samples(7, 1, first=3))
    torch.testing.assert_close(whole[3:4], alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("eta", [1.0, 0.4])
def test_increments_are_those_of_a_brownian_motion(eta: float) -> None:
    """Variances q_s - q_t and no correlation, within 5 standard errors of 4,000 paths."""
    like = torch.zeros(4, 1000, dtype=torch.float64)
    path, levels = Brownian(like, rng.samples(3, 4), eta), [40.0, 3.0, 1.1, 1.0, 0.2, 0.004]
    steps = [(path.add(like, 1.0, a, b), b ** (-2 * eta**2) - a ** (-2 * eta**2))
             for a, b in itertools.pairwise(levels)]  # fmt: skip
    for moved, variance in steps:
        assert float(moved.var()) == pytest.approx(variance, rel=5 * math.sqrt(2 / 4000))
    for (one, v), (two, w) in itertools.pairwise(steps):
        correlation = float((one * two).mean()) / math.sqrt(v * w)
        assert abs(correlation) < 5 / math.sqrt(4000)


def test_a_path_is_one_function_of_time() -> None:
    """Asked in another order, and from far away, it gives the same values."""
    like = torch.zeros(2, 3, dtype=torch.float64)
    one, two = (Brownian(like, rng.samples(3, 2), 1.0) for _ in range(2))
    direct = one.add(like, 1.0, math.inf, 0.3)
    parts = two.add(like, 1.0, 2.0, 0.3) + two.add(like, 1.0, math.inf, 2.0)
    torch.testing.assert_close(direct, parts, rtol=1e-10, atol=1e-10)
