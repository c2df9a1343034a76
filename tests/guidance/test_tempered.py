"""Temperature and nucleus against what they do to known probabilities, and to laws of samples."""

from typing import Any

import pytest
import torch
from torch import Tensor

import diffusion
from diffusion import data, net, rng, schedule, time
from diffusion.errors import InputError, MismatchError
from diffusion.exact import Enumerated
from diffusion.guidance import ClassifierFree, Nucleus, Temperature
from diffusion.noise import Absorbing, Gaussian, Joint, Structured, Uniform
from diffusion.sampler import Ancestral, Confident, EntropyBound

P = torch.tensor([0.5, 0.25, 0.15, 0.1, 0.0], dtype=torch.float64)


def answer(p: Tensor) -> Any:
    """A network that always predicts `p`."""
    return lambda z, y, t: p.expand(1, *z.shape, len(p)).log()


def guided(guide: Any, noise: Any, p: Tensor = P) -> Tensor:
    z = torch.zeros(2, 3, dtype=torch.long)
    bound = noise.bind(schedule.LogLinear(10))
    hat = guide(answer(p), bound)(z, None, 0.5)
    return bound.predict(z, 0.5, hat).exp()[0, 0]


@pytest.mark.parametrize("noise", [Absorbing(5), Uniform(5), Structured.gaussian(5)], ids=repr)
@pytest.mark.parametrize("value", [0.3, 0.7, 1.0, 2.5])
def test_temperature_is_a_power_of_the_probabilities(noise, value):
    expected = P ** (1 / value)
    torch.testing.assert_close(guided(Temperature(value), noise), expected / expected.sum())


@pytest.mark.parametrize(
    ("mass", "kept"), [(0.3, 1), (0.5, 1), (0.6, 2), (0.75, 2), (0.8, 3), (0.95, 4), (1.0, 4)]
)
def test_the_nucleus_is_the_smallest_set_that_holds_the_mass(mass, kept):
    expected = torch.where(torch.arange(5) < kept, P, 0.0)
    found = guided(Nucleus(mass), Uniform(5))
    # 0.5 + 0.25 is exact in binary; the bounds at 0.5 and 0.75 therefore are as well.
    torch.testing.assert_close(found, expected / expected.sum(), rtol=1e-12, atol=1e-15)


def test_classes_that_are_ruled_out_are_not_part_of_the_mass():
    """The mask is likely by the network's raw output, and impossible."""
    p = torch.tensor([0.1, 0.06, 0.04, 0.0, 0.8], dtype=torch.float64)
    found = guided(Nucleus(0.7), Absorbing(5), p)
    expected = torch.tensor([0.625, 0.375, 0.0, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_they_apply_left_to_right():
    one = guided(Temperature(0.5) | Nucleus(0.7), Uniform(5))
    two = guided(Nucleus(0.7) | Temperature(0.5), Uniform(5))
    # p² is 0.25, 0.0625, ...: 0.725 of the mass is on the first; p² of 0.5 and 0.25 is 4 to 1.
    torch.testing.assert_close(one[:2], torch.tensor([1.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(two[:2], torch.tensor([0.8, 0.2], dtype=torch.float64))


@pytest.mark.parametrize("guide", [Temperature(0.5), Nucleus(0.7)], ids=repr)
def test_probabilities_stay_probabilities(guide):
    """A noise that reads p gets p, with what else the network predicts."""
    noise = Uniform(5, parameter="p").bind(schedule.LogLinear(10))
    z = torch.zeros(2, 3, dtype=torch.long)
    hat = torch.stack([P.expand(2, 3, 5), torch.randn(2, 3, 5, dtype=torch.float64)])
    found = guide(lambda z, y, t: hat, noise)(z, None, 0.5)
    torch.testing.assert_close(found[0].sum(-1), torch.ones(2, 3, dtype=torch.float64))
    torch.testing.assert_close(found[0, 0, 0], guided(guide, Uniform(5)))
    assert torch.equal(found[1], hat[1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_types_are_kept_and_values_finite(dtype):
    noise = Uniform(5).bind(schedule.LogLinear(10))
    logits = torch.tensor([3.0, 2.0, 1.0, 0.0, -2.0], dtype=dtype).expand(1, 2, 3, 5)
    for guide in (Temperature(0.1), Nucleus(0.5)):
        found = guide(lambda z, y, t: logits, noise)(torch.zeros(2, 3).long(), None, 0.5)
        assert found.dtype == dtype
        assert found.isfinite().all()
        assert (found.argmax(-1) == 0).all()


def test_only_the_tokens_of_a_joint_state():
    noise = Joint({"a": Gaussian("x"), "b": Uniform(5)}).bind(schedule.Flow(10))
    z = {"a": torch.randn(2, 4), "b": torch.zeros(2, 3, dtype=torch.long)}
    hat = {"a": torch.randn(1, 2, 4), "b": P.log().expand(1, 2, 3, 5)}
    found = Temperature(0.5)(lambda z, y, t: hat, noise)(z, None, {"a": 0.3, "b": 0.6})
    assert torch.equal(found["a"], hat["a"])
    expected = P**2 / (P**2).sum()
    torch.testing.assert_close(found["b"].softmax(-1)[0, 0, 0], expected)


def test_samples_of_independent_tokens_follow_the_sharpened_law():
    """For independent tokens p(x | z) of a mask is the marginal, whatever the time and sampler."""
    marginal = torch.tensor([0.6, 0.3, 0.1, 0.0])
    law = Enumerated(marginal[:, None] * marginal)
    noise = Absorbing(4).bind(schedule.LogLinear(10))
    z, size = torch.full((20_000, 2), 3), 20_000
    for sampler in (Ancestral(), Confident(0.0, "entropy"), EntropyBound(9.0)):
        predict = Temperature(0.5)(law.oracle(noise), noise)
        *_, w = sampler(noise, predict, z, None, [1.0, 0.6, 0.3, 0.0], rng.generator(0))
        share = torch.stack([(w == i).double().mean() for i in range(3)])
        expected = marginal[:3] ** 2 / (marginal**2).sum()
        # Standard errors of 40,000 tokens are below 0.0025; five of them.
        torch.testing.assert_close(share, expected.double(), rtol=0, atol=0.0125)
    assert len(w) == size


def test_they_guide_models_and_refuse_others():
    torch.manual_seed(0)
    tokens = data.Identity(torch.randint(4, (16, 6)), torch.randint(1, 3, (16,)), batch=8)
    model = diffusion.Model(
        tokens, schedule.LogLinear(), Absorbing(5), net.Transformer(5, width=8, heads=2, labels=2),
        time=time.Continuous(), guidance=ClassifierFree(0.1, 1.0) | Nucleus(0.9) | Temperature(0.1),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    sharp = model.sample(y=[1] * 64, steps=6, seed=0)
    plain = model.sample(y=[1] * 64, steps=6, seed=0, guidance=ClassifierFree(0.1, 1.0))

    def entropy(w: Tensor) -> float:
        return float(torch.special.entr(torch.bincount(w.flatten(), minlength=4) / w.numel()).sum())

    # Sharpening by ten leaves mostly the likeliest symbol, whichever the random network prefers.
    assert entropy(sharp) < 0.8 * entropy(plain)
    with pytest.raises(MismatchError, match=r"Temperature.*Gaussian predicts none"):
        diffusion.Model(
            data.Identity(torch.randn(4, 2)), schedule.Flow(), Gaussian("velocity"), net.MLP(2),
            time=time.Continuous(), guidance=Temperature(),
        )  # fmt: skip
    with pytest.raises(MismatchError, match=r"Nucleus"):
        Nucleus()(answer(P), Gaussian())
    assert Temperature().fits(Joint({"a": Gaussian(), "b": Absorbing(3)})) is None
    assert Temperature().fits(Joint({"a": Gaussian()})) is not None


def test_wrong_settings_are_errors():
    with pytest.raises(InputError, match=r"Temperature.value: expected a number > 0; got 0"):
        Temperature(0)
    with pytest.raises(InputError, match=r"Nucleus.mass: expected a number in \(0, 1\]; got 1.5"):
        Nucleus(1.5)
