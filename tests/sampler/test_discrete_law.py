"""The laws of the samplers of categorical noise, by pushing their own transition matrices."""

import math

import pytest
import torch

from diffusion.exact.pushed import pushed
from diffusion.noise import Absorbing, Uniform
from diffusion.sampler import Ancestral, Remask, TauLeap, Trapezoidal
from diffusion.schedule import Cosine, Flow, LogLinear

from .beds import NOISES, bed, chance, counted, slope, times


@pytest.fixture(params=NOISES)
def noise(request):
    return NOISES[request.param].bind(Flow(1024))


def errors(law, noise, sampler, counts):
    return [law.variation(pushed(law, noise, sampler, times(n))) for n in counts]


def test_the_jumps_are_the_integral_of_the_rates(noise):
    """A step of tau-leaping against Simpson's rule on beta·pi(z)·q(j)/q(z), in kappa."""
    if isinstance(noise, Absorbing):
        z, own = torch.tensor([[2]]), torch.tensor([0.3, 0.7, 0.0]).double()
    else:
        z, own = torch.tensor([[0]]), torch.tensor([0.3, 0.1, 0.6]).double()
    t, s = 0.8, 0.5
    kappa, kappa_s = noise.clock.kappa(t), noise.clock.kappa(s)
    pi, at = noise.law(), int(z)

    def rates(k):
        q = k * own + (1 - k) * pi
        return pi[at] * q / q[at] / k

    n = 200
    grid = [kappa + (kappa_s - kappa) * i / n for i in range(n + 1)]
    weights = [1.0, *([4.0, 2.0] * (n // 2))[: n - 1], 1.0]
    jumps = sum(w * rates(k) for w, k in zip(weights, grid, strict=True))
    jumps = jumps * (kappa_s - kappa) / (3 * n)
    jumps[at] = 0
    total = float(jumps.sum())
    # What the exact network answers for a token whose law given the others is `own`.
    q = (1 - kappa) * pi[at] + kappa * torch.eye(3).double()[at]
    hat = (own * q / (own * q).sum()).log()[None, None, None]
    p = TauLeap().law(noise, z, t, s, hat).p[0, 0]
    # Simpson's rule in 200 parts is good to 1e-8 on these smooth rates.
    assert float(p[at]) == pytest.approx(math.exp(-total), abs=1e-7)
    p[at] = 0
    torch.testing.assert_close(p, (1 - math.exp(-total)) * jumps / total, rtol=1e-6, atol=1e-7)


def test_one_token_by_tau_leaping(noise):
    """Absorbed tokens jump once, so nothing is lost; else double jumps are: order 1."""
    law = bed(1, noise)
    found = errors(law, noise, TauLeap(), (64, 128, 256))
    if isinstance(noise, Absorbing):
        assert max(found) < 1e-6
    else:
        assert found[-1] > 1e-5
        assert slope(found) == pytest.approx(1, abs=0.3)


def test_one_token_by_the_trapezoidal_method_has_no_error(noise):
    """Each half step is exact for a token whose law given the others does not change."""
    for theta in (0.3, 0.5):
        assert max(errors(bed(1, noise), noise, Trapezoidal(theta), (1, 2, 7))) < 1e-6


@pytest.mark.parametrize("length", [2, 3])
def test_tau_leaping_is_of_order_one(noise, length):
    found = errors(bed(length, noise), noise, TauLeap(), (64, 128))
    assert slope(found) == pytest.approx(1, abs=0.3)


def test_the_trapezoidal_method_is_of_order_two(noise):
    """Where tokens depend weakly; on such laws no rate is halved by a jump."""
    law = bed(3, noise, floor=1.0)
    found = errors(law, noise, Trapezoidal(), (16, 32))
    assert slope(found) == pytest.approx(2, abs=0.3)
    ancestral = errors(law, noise, Ancestral(), (32, 64))  # the same network calls
    assert found[0] < ancestral[0] / 10
    assert found[1] < ancestral[1] / 10


def test_the_trapezoidal_method_on_strongly_dependent_tokens(noise):
    """Still better than as many calls of the ancestral sampler, though of order 1 in the end."""
    law = bed(2, noise)
    for steps in (4, 16):
        (trapezoidal,) = errors(law, noise, Trapezoidal(), [steps])
        (ancestral,) = errors(law, noise, Ancestral(), [2 * steps])
        assert trapezoidal < 0.7 * ancestral


@pytest.mark.parametrize("sampler", [TauLeap(), Trapezoidal(), Remask(0.3)], ids=repr)
def test_integer_steps_of_a_schedule_reach_the_data(sampler):
    """Every step of a schedule, which has none in between, and every fourth."""
    noise = Absorbing(3).bind(Cosine(64))
    law = bed(2, noise)
    for grid in (range(64, -1, -1), range(64, -1, -4)):
        table = pushed(law, noise, sampler, grid)
        assert float(table.sum()) == pytest.approx(1.0)
        assert float(table[2].sum() + table[:, 2].sum()) < 1e-9  # no masks
        assert law.variation(table) < 0.06


@pytest.mark.parametrize("how", ["cap", "rescale"])
def test_remasking_keeps_the_marginals_and_the_limit(how):
    noise = Absorbing(3).bind(LogLinear())
    alone, law = bed(1, noise), bed(2, noise)
    assert max(errors(alone, noise, Remask(1.0, how), (1, 5, 200))) < 1e-6
    found = errors(law, noise, Remask(0.2, how), (16, 64, 256, 1024))
    assert found == sorted(found, reverse=True)
    # Order 1/2: a factor of 8 in the steps from 16 to 1024, of which half may still be to come.
    assert found[-1] < found[0] / 4
    assert found[-1] < 0.01


def test_no_remasking_is_ancestral():
    noise = Absorbing(3).bind(LogLinear())
    law = bed(3, noise)
    for how in ("cap", "rescale"):
        found = pushed(law, noise, Remask(0.0, how), times(5))
        torch.testing.assert_close(found, pushed(law, noise, Ancestral(), times(5)))


@pytest.mark.parametrize(
    ("kind", "sampler"),
    [
        (Absorbing(3), TauLeap()), (Absorbing(3), Trapezoidal()), (Absorbing(3), Remask(0.5)),
        (Uniform(3), TauLeap()), (Uniform(3), Trapezoidal()),
    ],
    ids=repr,
)  # fmt: skip
def test_samples_follow_the_law_that_was_pushed(kind, sampler):
    """For the code that users run, with few steps, where the law is not the data's."""
    noise, size = kind.bind(LogLinear()), 40_000
    law = bed(2, noise)
    exact = pushed(law, noise, sampler, times(3))
    found = counted(law, noise, sampler, 3, size)
    assert 0.5 * float((found - exact).abs().sum()) < chance(exact, size) < law.variation(exact)
