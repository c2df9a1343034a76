"""Where a sampling starts, what it keeps, and whether one can differentiate through it."""

import pytest
import torch

import diffusion
from diffusion import data, guidance, net, noise, schedule, time
from diffusion.base import Net
from diffusion.errors import InputError
from diffusion.sampler import DDIM, Adams, Ancestral, Heun


class Shrink(Net):
    """x = a·z: a denoiser with one weight, so that derivatives are easy to check."""

    def __init__(self, a: float = 0.5):
        self.a = torch.nn.Parameter(torch.tensor(a))

    def forward(self, x, y, t):
        return (self.a * x)[None]


def model(**modules: object) -> diffusion.Model:
    own: dict = {
        "data": data.Identity(torch.randn(16, 3), batch=8), "schedule": schedule.Flow(100),
        "noise": noise.Gaussian("x"), "net": Shrink(), "time": time.Continuous(),
    }  # fmt: skip
    return diffusion.Model(**{**own, **modules})


def test_a_given_start_is_the_first_state() -> None:
    z = torch.randn(4, 3)
    first, *_, last = model().stream(z=z, steps=5, sampler=DDIM())
    assert torch.equal(first, z)
    torch.testing.assert_close(model().sample(z=z, steps=5, sampler=DDIM()), last)
    other = model().sample(z=-z, steps=5, sampler=DDIM())
    torch.testing.assert_close(other, -last)


@pytest.mark.parametrize("continuous", [True, False])
def test_items_are_noised_to_the_strength_and_denoised_from_there(continuous: bool) -> None:
    one = model(time=time.Continuous() if continuous else time.Discrete())
    w = torch.full((2000, 3), 2.0)
    states = list(one.stream(start=w, strength=0.3, steps=10, seed=0, sampler=DDIM()))
    signal, sigma = one.bind().clock(0.3 if continuous else 30)
    # 6,000 draws of N(signal·w, sigma²): 5 standard errors.
    assert float(states[0].mean()) == pytest.approx(2 * signal, abs=5 * sigma / 6000**0.5)
    assert float(states[0].std()) == pytest.approx(sigma, rel=5 / 12000**0.5)
    assert len(states) == 4  # the start, and the times 0.2, 0.1 and 0
    again = list(one.stream(start=w, strength=0.3, steps=10, seed=0, sampler=DDIM()))
    assert torch.equal(states[-1], again[-1])


def test_tokens_start_from_items_too() -> None:
    one = diffusion.Model(
        data.Identity(torch.randint(0, 4, (16, 12)), batch=8), schedule.Cosine(20),
        noise.Absorbing(5), net.Transformer(5, width=8, heads=2),
    )  # fmt: skip
    w = torch.randint(0, 4, (3, 12))
    first, *_, last = one.stream(start=w, strength=0.5, steps=10, seed=0)
    shown = first != 4
    assert 0 < int((~shown).sum()) < 36
    assert torch.equal(first[shown], w[shown])
    assert torch.equal(last[shown], w[shown])  # absorbing noise never touches what it kept


@pytest.mark.parametrize("sampler", [DDIM(), Adams(), Heun(target="x"), Ancestral()], ids=repr)
def test_gradients_reach_the_weights_and_the_start(sampler) -> None:
    one, z = model(), torch.randn(2, 3, requires_grad=True)

    def end(a: float) -> torch.Tensor:
        with torch.no_grad():
            one.net.a.fill_(a)
        return one.sample(z=z, steps=4, seed=0, sampler=sampler, gradients=True).sum()

    end(0.5).backward()
    slope = float((end(0.501) - end(0.499)).detach()) / 0.002
    assert float(one.net.a.grad) == pytest.approx(slope, rel=2e-2, abs=1e-3)
    assert z.grad.abs().sum() > 0
    assert not one.sample(z=z, steps=4, sampler=sampler).requires_grad


def test_gradients_pass_through_guidance() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(16, 3), torch.arange(16) % 3 + 1
    one = model(
        data=data.Identity(x, y, batch=8), net=net.MLP(3, labels=3),
        guidance=guidance.ClassifierFree(strength=2.0),
    )  # fmt: skip
    one.sample(y=[1, 2], steps=3, sampler=Adams(), gradients=True).square().sum().backward()
    assert one.net.exit.weight.grad.abs().sum() > 0


def test_a_sampling_that_ends_in_nan_is_an_error() -> None:
    one = model()
    with torch.no_grad():
        one.net.a.fill_(float("nan"))
    with pytest.raises(InputError, match="4 of 4 samples are NaN or infinite"):
        one.sample(batch=4, steps=3)


def test_wrong_starts_are_errors() -> None:
    with pytest.raises(InputError, match=r"sample.z: expected states of shape \(1, 3\)"):
        model().sample(batch=1, z=torch.zeros(1, 4), steps=3)
    with pytest.raises(InputError, match=r"items to be noised\): one"):
        model().sample(z=torch.zeros(1, 3), start=torch.zeros(1, 3), steps=3)
    with pytest.raises(InputError, match=r"strength: expected a share of time in \(0, 1\], got 2"):
        model().sample(start=torch.zeros(1, 3), strength=2, steps=3)
    with pytest.raises(InputError, match=r"sample.z: expected tensors or arrays, got 'noise'"):
        model().sample(batch=1, z="noise", steps=3)
    with pytest.raises(InputError, match="there are none"):
        model().sample(batch=1, strength=0.5, steps=3)
    with pytest.raises(InputError, match=r"no option 'strenght'.*strength"):
        model().sample(batch=1, strenght=0.5, steps=3)


def test_modules_of_the_wrong_kind_are_errors() -> None:
    with pytest.raises(InputError, match=r"expected a Sampler, got Adams \(a class: call it"):
        model().sample(batch=1, steps=3, sampler=Adams)
    with pytest.raises(InputError, match="guidance: expected a Guidance, got 'strong'"):
        model().sample(batch=1, steps=3, guidance="strong")
    with pytest.raises(InputError, match=r"or a grid such as grid.Karras\(20\); got 3.5"):
        model().sample(batch=1, steps=3.5)


@pytest.mark.parametrize("times", [[1.0, float("nan"), 0.0], [1.0, "0.5", 0.0], [0.5], []])
def test_no_time_is_silently_left_out(times) -> None:
    with pytest.raises(InputError, match="times must fall strictly"):
        model().sample(batch=1, steps=times)
    with pytest.raises(InputError, match="as integers"):
        model(time=time.Discrete()).sample(batch=1, steps=[100, 50.5, 0])
