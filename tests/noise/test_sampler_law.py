"""The ancestral sampler's law by pushing its own transition matrix, and the bound, exactly."""

import math
from itertools import pairwise

import pytest
import torch

from diffusion.exact import Enumerated
from diffusion.noise import Absorbing, Mixed, Structured, Uniform
from diffusion.schedule import Cosine, Flow, Linear

SKEWED = torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.7, 0.2], [0.5, 0.0, 0.5]])
NOISES = {
    "uniform": Uniform(3),
    "absorbing": Absorbing(3),
    "mixed": Mixed(torch.tensor([0.2, 0.5, 0.3])),
    "masked": Mixed(torch.tensor([0.2, 0.0, 0.8])),
    "structured": Structured(SKEWED),
}


def data(length: int, noise) -> Enumerated:
    """Strongly dependent tokens; the mask, if there is one, never occurs."""
    p = torch.rand((3,) * length, generator=torch.Generator().manual_seed(length)) ** 4
    if isinstance(noise, Absorbing):
        for axis in range(length):
            p.select(axis, noise.mask).zero_()
    return Enumerated(p)


def times(steps: int) -> list[float]:
    return [1 - i / steps for i in range(steps)] + [0.0]


@pytest.fixture(params=NOISES)
def noise(request):
    return NOISES[request.param]


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_one_token_is_exact_at_any_number_of_steps(noise, steps):
    """Bayes-exact steps from pure noise: the sampler's law is the data's, the bound the entropy."""
    bed, bound = data(1, noise), noise.bind(Flow(100))
    oracle = bed.oracle(bound)
    assert bed.variation(bed.law(bound, oracle, times(steps))) < 1e-6
    assert bed.nelbo(bound, oracle, times(steps)) == pytest.approx(bed.entropy, abs=1e-5)


@pytest.mark.parametrize("length", [2, 3])
def test_the_law_of_several_tokens_converges_at_order_one(noise, length):
    bed, bound = data(length, noise), noise.bind(Flow(1024))
    oracle = bed.oracle(bound)
    errors = [bed.variation(bed.law(bound, oracle, times(n))) for n in (16, 32, 64, 128)]
    assert errors[-1] < 0.01
    assert math.log2(errors[-2] / errors[-1]) == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("length", [2, 3])
def test_the_bound_is_above_the_entropy_and_tight(noise, length):
    bed, bound = data(length, noise), noise.bind(Flow(1024))
    oracle = bed.oracle(bound)
    gaps = [bed.nelbo(bound, oracle, times(n)) - bed.entropy for n in (8, 32, 128)]
    assert min(gaps) > -1e-6
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.02


def test_the_bound_of_a_worse_denoiser_is_worse(noise):
    bed, bound = data(2, noise), noise.bind(Flow(100))
    oracle = bed.oracle(bound)

    def dull(z, y, t):  # every token blurred towards the others
        return (oracle(z, y, t).exp() + 0.3).log()

    assert bed.nelbo(bound, dull, times(20)) > bed.nelbo(bound, oracle, times(20)) + 0.02


@pytest.mark.parametrize("schedule", [Cosine(64), Linear(64, 0.999, 0.8), Flow(64, 3.0)], ids=repr)
def test_integer_steps_of_every_schedule_reach_the_data(noise, schedule):
    bed, bound = data(2, noise), noise.bind(schedule)
    law = bed.law(bound, bed.oracle(bound), range(64, -1, -1))
    assert float(law.sum()) == pytest.approx(1.0)
    assert bed.variation(law) < 0.03


@pytest.mark.parametrize("parameter", ["logits", "p"])
def test_the_design_figure_for_uniform_noise(parameter):
    """Soft predictions, 128 steps: below 0.0044, thanks to the division by q(z|x)."""
    bed = data(2, Uniform(3))
    bound = Uniform(3, parameter=parameter).bind(Flow(1000))
    assert bed.variation(bed.law(bound, bed.oracle(bound), times(128))) < 0.0044


def test_onehot_states_have_the_same_law():
    bed, bound = data(2, Uniform(3)), Uniform(3).bind(Flow(100))
    oracle, steps = bed.oracle(bound), times(8)
    eye = torch.eye(3, dtype=torch.float64)
    z = bed.sequences
    torch.testing.assert_close(oracle(z, None, 0.4), oracle(eye[z], None, 0.4))
    step, hot = (bound.step(v, steps[2], steps[3], oracle(z, None, 0.5)) for v in (z, eye[z]))
    torch.testing.assert_close(step.p, hot.p)


def test_sampling_agrees_with_the_law():
    """Forty thousand draws against the table, for the code path that users run."""
    bed, bound = data(2, Absorbing(3)), Absorbing(3).bind(Flow(100))
    oracle, steps = bed.oracle(bound), times(6)
    z = bound.stationary((40_000, 2)).sample()[0]
    for t, s in pairwise(steps):
        z = bound.step(z, t, s, oracle(z, None, t)).sample()[0]
    counts = (
        torch.zeros(9).double().index_add(0, z[:, 0] * 3 + z[:, 1], torch.ones(40_000).double())
    )
    law = bed.law(bound, oracle, steps).flatten()
    assert float((counts / 40_000 - law).abs().sum()) / 2 < 0.01


def test_unmasking_two_dependent_tokens_at_once_is_the_error_of_few_steps():
    """One step of an absorbing process draws every token from its marginal."""
    bed, bound = data(2, Absorbing(3)), Absorbing(3).bind(Flow(100))
    law = bed.law(bound, bed.oracle(bound), [1.0, 0.0])
    product = bed.p.sum(1).unsqueeze(1) * bed.p.sum(0)
    torch.testing.assert_close(law, product, rtol=1e-6, atol=1e-9)
