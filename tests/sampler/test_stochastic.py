"""The reverse SDE: its law, and Brownian paths that do not depend on the steps."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from diffusion import noise, rng, schedule
from diffusion.sampler import SDE, Adams, Ancestral, DPMSolverPP
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
