"""The public tutorial's modules run in our `Model`, alone and mixed with the library's."""

import itertools

import pytest
import torch
from torch import Tensor, nn

import diffusion
import diffusion.net
from diffusion import data, loss, noise, schedule
from diffusion.base import Net
from diffusion.errors import MismatchError
from diffusion.sampler import DDIM

from . import tutorial as ours

POINT = torch.tensor([1.5, -0.5])


def blob(count: int = 256) -> Tensor:
    torch.manual_seed(0)
    return POINT + 0.1 * torch.randn(count, 2)


def model(**modules: object) -> diffusion.Model:
    torch.manual_seed(0)
    own: dict = {
        "data": data.Identity(blob(), batch=32, shuffle=True),
        "schedule": ours.Linear(100, 0.9999, 0.9),
        "noise": ours.Gaussian(),
        "net": ours.Perceptron(2),
        "loss": ours.Simple(),
    }
    return diffusion.Model(**{**own, **modules})


MIXES = {
    "schedule": [
        ours.Linear(100, 0.9999, 0.9),
        ours.DataclassLinear(100, 0.9999, 0.9),
        schedule.Cosine(100),
    ],
    "noise": [ours.Gaussian(), ours.DataclassGaussian(), noise.Gaussian(parameter="epsilon")],
    "loss": [
        ours.Simple(),
        ours.DataclassSimple() + 0.001 * ours.DataclassVLB(),
        loss.Simple(parameter="epsilon") + 0.001 * ours.VLB(),
        loss.Simple(parameter="epsilon") + 0.001 * loss.VLB(),
    ],
}


@pytest.mark.parametrize(
    "mix", [dict(zip(MIXES, c, strict=True)) for c in itertools.product(*MIXES.values())], ids=str
)
def test_modules_mix_freely(mix: dict) -> None:
    one = model(**mix)
    losses = [*one.train(2)]
    assert all(torch.isfinite(torch.tensor(losses)))
    for steps in (None, 10):
        assert one.sample(batch=3, steps=steps, seed=0).shape == (3, 2)


def test_the_tutorial_model_learns_the_data() -> None:
    one = model(loss=ours.Simple() + 0.001 * ours.VLB())
    losses = [*one.train(60)]
    assert losses[-1] < 0.5 * losses[0]
    for steps in (None, 25):
        mean = one.sample(batch=200, steps=steps, seed=0).mean(0)
        assert (mean - POINT).abs().max() < 0.25


def test_training_the_tutorial_embedding_moves_its_weights() -> None:
    torch.manual_seed(0)
    words = ours.Embedding(torch.randint(0, 5, (64, 3)), count=5, dimension=8, batch=16)
    before = words.embedding.weight.detach().clone()
    one = model(data=words, net=ours.Perceptron(8), loss=loss.Simple("epsilon"))
    [*one.train(2)]
    assert not torch.equal(before, words.embedding.weight)
    ids = one.sample(batch=4, steps=10)
    assert ids.shape == (4, 3)
    assert ids.dtype == torch.long
    assert torch.equal(words.decode(words.encode(words.w)), words.w)


@pytest.mark.parametrize("kind", [ours.Embedding, ours.DataclassEmbedding])
def test_embedding_fields_are_a_config(kind: type) -> None:
    one = kind(None, count=7, dimension=4)
    assert one.embedding.weight.shape == (7, 4)
    assert one.count == 7


def test_a_transformer_with_softmax_predicts_one_hot_text() -> None:
    """`Transformer(input=k) | Softmax(3)` on one-hot data, with either Gaussian noise."""
    torch.manual_seed(0)
    letters = torch.randint(0, 6, (64, 5))
    net = diffusion.net.Transformer(input=6, depth=1, width=16, heads=2) | nn.Softmax(3)
    assert isinstance(net, Net)
    for kind in (noise.Gaussian(parameter="x"), noise.Uniform(6), noise.Absorbing(7)):
        size = 7 if isinstance(kind, noise.Absorbing) else 6
        one = model(
            data=data.OneHot(letters, k=size, batch=16),
            net=diffusion.net.Transformer(input=size, depth=1, width=16, heads=2) | nn.Softmax(3),
            noise=kind,
            loss=loss.Simple("x") if isinstance(kind, noise.Gaussian) else loss.VLB(),
        )
        assert all(torch.isfinite(torch.tensor([*one.train(1)])))
        assert one.sample(batch=2, steps=5).shape == (2, 5)


def test_an_oracle_ends_exactly_at_the_data() -> None:
    """Contract 1: t = 0 is the data, for the tutorial's noise too, full or respaced."""
    x = blob(4)
    for kind in (ours.Gaussian(), noise.Gaussian(parameter="epsilon")):
        one = model(noise=kind)
        for steps in (None, 7):
            bound = one.bind(times=[100, 50, 3, 0] if steps else None)
            times = [100, 50, 3, 0] if steps else list(range(100, -1, -1))
            delta = one.schedule.compute().double().cumprod(0)

            def oracle(z: Tensor, y: Tensor, t: int, delta: Tensor = delta) -> Tensor:
                return ((z - delta[t].sqrt() * x) / (1 - delta[t]).sqrt())[None].float()

            rng = [torch.Generator().manual_seed(i) for i in range(4)]
            *_, z = one.sampler(bound, oracle, torch.randn(4, 2), None, times, rng)
            assert (z - x).abs().max() < 2e-5


def test_the_bound_and_its_gradients_are_finite_at_every_step() -> None:
    """Contract 1, second half: t = 1 included, where a naive alpha_0 = 1 gives 0/0."""
    for kind, part in itertools.product(
        (ours.Gaussian(), noise.Gaussian(parameter="epsilon")), (ours.VLB(), loss.VLB())
    ):
        one = model(noise=kind, loss=part, data=data.Identity(blob(100), batch=100))
        one.time = _EveryStep()
        batch = one.batch(blob(100))
        value = part.compute(batch)
        value.backward()
        assert torch.isfinite(value)
        assert all(p.grad.isfinite().all() for p in one.net.parameters() if p.grad is not None)


class _EveryStep(diffusion.base.Time):
    def sample(self, steps: int, size: int) -> Tensor:
        return torch.arange(size) % steps + 1


def test_prior_uses_the_cumulative_product() -> None:
    """Contract 2: the prose says sqrt(alpha_t); the law of x_t needs sqrt(alpha-bar_t)."""
    one = model()
    x, t = torch.ones(20_000, 2), torch.full((20_000,), 60)
    bar = one.schedule.compute().cumprod(0)[60]
    z, _ = one.process.prior(x, t).sample()
    assert abs(float(z.mean()) - float(bar.sqrt())) < 0.01
    assert abs(float(z.var()) - float(1 - bar)) < 0.02


def test_a_sampler_that_needs_bridges_says_so() -> None:
    with pytest.raises(MismatchError, match=r"DDIM.*Use sampler=Ancestral"):
        model(sampler=DDIM())
